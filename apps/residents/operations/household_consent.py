"""Letting the others of the household see spend and refund, and not letting them any more."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from psycopg.types.range import TimestamptzRange

from apps.audit.operations import record_event
from apps.kernel.errors import KanpuError
from apps.residents.models import HouseholdConsent, Membership, Resident
from apps.residents.operations.messages import tell
from apps.residents.operations.proxies import Asked


class NoHousehold(KanpuError):
    """The resident belongs to no household in which somebody could be shown something."""

    code = "no_household"


class ChildDoesNotConsent(KanpuError):
    """A child's share is paid to the registered parent, who sees it without consent; the others do not."""

    code = "child_does_not_consent"


class ProtectedStaysHidden(KanpuError):
    """A protected resident is hidden from the household, whatever was consented to."""

    code = "protected_stays_hidden"


@transaction.atomic
def give_consent(ref: UUID, *, asked: Asked, at: datetime) -> HouseholdConsent:
    """Let the others of the present household see from now on, in place of what was consented to before.

    Raises NoHousehold, ChildDoesNotConsent and ProtectedStaysHidden.
    """
    resident = Resident.objects.select_for_update(no_key=True).get(pk=ref)  # one at a time
    stay = Membership.objects.filter(resident=ref, valid__contains=timezone.localdate(at)).first()
    if stay is None:
        raise NoHousehold("No household is registered for the resident now.")
    if stay.payee_id is not None:
        raise ChildDoesNotConsent("Whose share is paid to a parent does not consent: the parent sees it anyway.")
    if resident.is_protected:
        raise ProtectedStaysHidden("A protected resident stays hidden from the household.")
    since = _end_given(ref, at=at, actor=asked.actor)
    consent = HouseholdConsent.objects.create(
        resident_id=ref, household_ref=stay.household_ref, valid=TimestamptzRange(at, None), channel=asked.channel,
        office=asked.office, given_by=asked.actor,
    )  # fmt: skip
    _on_record(ref, "household.consent", asked, at, since=since)
    return consent


@transaction.atomic
def withdraw_consent(ref: UUID, *, asked: Asked, at: datetime) -> None:
    """Nobody of the household sees anything from now on; where nobody does, it stays so."""
    Resident.objects.select_for_update(no_key=True).get(pk=ref)
    since = _end_given(ref, at=at, actor=asked.actor)
    if since:
        _on_record(ref, "household.withdraw", asked, at, since=since)


def forget_consents(ref: UUID) -> None:
    """Forget to what a resident consented, in the caller's transaction. The trail stays."""
    HouseholdConsent.objects.filter(resident=ref).delete()


def _end_given(ref: UUID, *, at: datetime, actor: str) -> datetime | None:
    """End what the resident consented to. Returns since when that was."""
    since: datetime | None = None
    for given in HouseholdConsent.objects.filter(resident=ref, valid__upper_inf=True):
        since = given.valid.lower
        _close(given, at=at, actor=actor)
    return since


def _close(consent: HouseholdConsent, *, at: datetime, actor: str) -> None:
    if consent.valid.lower is None or consent.valid.lower >= at:
        consent.delete()
        return
    consent.valid = TimestamptzRange(consent.valid.lower, at)
    consent.withdrawn_by = actor
    consent.save(update_fields=["valid", "withdrawn_by"])


def _on_record(ref: UUID, action: str, asked: Asked, at: datetime, *, since: datetime | None) -> None:
    detail = {"channel": asked.channel, "office": asked.office}
    is_given = action == "household.consent"
    record_event(
        at=at, actor=asked.actor, action=action, subject=f"resident:{ref}", detail=detail,
        before={"consented_at": since}, after={"consented_at": at if is_given else None},
    )  # fmt: skip
    tell([ref], "household_consent", at=at, given=is_given)

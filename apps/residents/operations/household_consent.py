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
    for before in HouseholdConsent.objects.filter(resident=ref, valid__upper_inf=True):
        _close(before, at=at, actor=asked.actor)
    consent = HouseholdConsent.objects.create(
        resident_id=ref, household_ref=stay.household_ref, valid=TimestamptzRange(at, None), channel=asked.channel,
        office=asked.office, given_by=asked.actor,
    )  # fmt: skip
    _on_record(ref, "household.consent", asked, at)
    return consent


@transaction.atomic
def withdraw_consent(ref: UUID, *, asked: Asked, at: datetime) -> None:
    """Nobody of the household sees anything from now on; where nobody does, it stays so."""
    Resident.objects.select_for_update(no_key=True).get(pk=ref)
    is_given = False
    for given in HouseholdConsent.objects.filter(resident=ref, valid__upper_inf=True):
        _close(given, at=at, actor=asked.actor)
        is_given = True
    if is_given:
        _on_record(ref, "household.withdraw", asked, at)


def forget_consents(ref: UUID) -> None:
    """Forget to what a resident consented, in the caller's transaction. The trail stays."""
    HouseholdConsent.objects.filter(resident=ref).delete()


def _close(consent: HouseholdConsent, *, at: datetime, actor: str) -> None:
    if consent.valid.lower is None or consent.valid.lower >= at:
        consent.delete()
        return
    consent.valid = TimestamptzRange(consent.valid.lower, at)
    consent.withdrawn_by = actor
    consent.save(update_fields=["valid", "withdrawn_by"])


def _on_record(ref: UUID, action: str, asked: Asked, at: datetime) -> None:
    detail = {"channel": asked.channel, "office": asked.office}
    record_event(at=at, actor=asked.actor, action=action, subject=f"resident:{ref}", detail=detail)
    tell([ref], "household_consent", at=at, given=action == "household.consent")

"""Agreeing that the refunds of a household's adults go to its head, and taking that back."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from psycopg.types.range import TimestamptzRange

from apps.audit.operations import record_event
from apps.kernel.errors import KanpuError
from apps.residents.models import HeadPaymentConsent, Resident
from apps.residents.operations.messages import tell
from apps.residents.queries.head_payments import HeadPayment, head_payment_of


class NoHeadToPay(KanpuError):
    """The resident is no adult of a household with a head and another adult, or is hidden from it."""

    code = "no_head_to_pay"


@transaction.atomic
def agree_to_head(ref: UUID, *, at: datetime, actor: str) -> HeadPayment:
    """Agree from now on that refunds of all adults go to the present head. Every adult is told. Raises NoHeadToPay."""
    Resident.objects.select_for_update(no_key=True).get(pk=ref)  # one change at a time
    home = head_payment_of(ref, at=at)
    if home is None:
        raise NoHeadToPay("There is no household with a head and another adult in which this could be agreed.")
    if home.agreed_at:
        return home
    _end_given(ref, at=at, actor=actor)  # what was agreed to in another household, or with another head
    HeadPaymentConsent.objects.create(
        resident_id=ref, household_ref=home.household_ref, head_id=home.head_ref, valid=TimestamptzRange(at, None)
    )
    return _announce(ref, home, "household.pay_head", at=at, actor=actor)


@transaction.atomic
def take_back_head(ref: UUID, *, at: datetime, actor: str) -> None:
    """Take it back: for what is not approved yet, each adult of the household is paid the own share again."""
    Resident.objects.select_for_update(no_key=True).get(pk=ref)
    home = head_payment_of(ref, at=at)
    if _end_given(ref, at=at, actor=actor) and home:
        _announce(ref, home, "household.pay_each", at=at, actor=actor)


def forget_head_payments(ref: UUID) -> None:
    """Forget what a resident agreed to, in the caller's transaction. The trail stays."""
    HeadPaymentConsent.objects.filter(resident=ref).delete()


def _end_given(ref: UUID, *, at: datetime, actor: str) -> int:
    given = list(HeadPaymentConsent.objects.filter(resident=ref, valid__upper_inf=True))
    for one in given:
        if one.valid.lower >= at:
            one.delete()
            continue
        one.valid, one.withdrawn_by = TimestamptzRange(one.valid.lower, at), actor
        one.save(update_fields=["valid", "withdrawn_by"])
    return len(given)


def _announce(ref: UUID, before: HeadPayment, action: str, *, at: datetime, actor: str) -> HeadPayment:
    after = head_payment_of(ref, at=at) or before
    record_event(
        at=at, actor=actor, action=action, subject=f"resident:{ref}", detail={"in_force": after.in_force},
        before={"agreed_at": before.agreed_at}, after={"agreed_at": after.agreed_at},
    )  # fmt: skip
    tell(after.adults, "household_payment", at=at, given=after.given, adults=len(after.adults))
    return after

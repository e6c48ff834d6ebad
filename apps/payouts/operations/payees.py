"""Who is paid: looked at again until it is approved, for a household may agree otherwise, and a parent may die."""

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Q

from apps.kernel.errors import KanpuError
from apps.payouts.models import LETTER, Batch, Obligation, PaymentHold
from apps.payouts.operations.telling import tell_own
from apps.payouts.outcomes import DRAFT, IN_FLIGHT
from apps.payouts.queries.payees import payees_of
from apps.residents.models import Resident


class PayeeChanged(KanpuError):
    """Others are paid for somebody than when the draft was made: a household took it back, or the register says so."""

    code = "payee_changed"


class PaymentHeld(KanpuError):
    """Payments to somebody were held since the batch was made."""

    code = "payment_held"


def update_payees(obligations: Sequence[Obligation], *, at: datetime) -> None:
    """Have each go to whom it is paid now, a parent, the head or the resident: in the caller's transaction."""
    found = payees_of({one.resident_ref for one in obligations}, at=at)
    changed, left = [], []
    for one in obligations:
        payee = found[one.resident_ref]
        if (one.payee_ref, one.payee_kind) != payee:
            if one.payee_kind == Obligation.Payee.HEAD:
                left.append(one)
            one.payee_ref, one.payee_kind = payee
            changed.append(one)
    Obligation.objects.bulk_update(changed, ["payee_ref", "payee_kind"], batch_size=1_000)
    tell_own(left, at=at)


def check_payees(batch: Batch, *, at: datetime) -> None:
    """Raise PayeeChanged unless every head and parent whom a draft pays for others is still to be paid."""
    owed = Obligation.objects.filter(attempts__batch=batch, attempts__state=DRAFT)
    owed = owed.exclude(payee_kind=Obligation.Payee.RESIDENT)
    paid = dict(owed.values_list("resident_ref", "payee_ref"))
    found = payees_of(paid, at=at) if paid else {}
    if any(found[ref].ref != payee for ref, payee in paid.items()):
        raise PayeeChanged(f"Somebody else is paid for a resident by now: drop {batch} and make it again.")


def check_holds(batch: Batch) -> None:
    """Raise PaymentHeld when payments to somebody whom a batch pays, or pays for, are held by now.

    Letters are none for who is protected by now: they would go to the address of before.
    """
    held = PaymentHold.objects.filter(lifted_at=None).values("resident_ref")
    either = Q(resident_ref__in=held) | Q(payee_ref__in=held)
    if batch.rail == LETTER:
        hidden = Resident.objects.filter(is_protected=True).values("pk")
        either |= Q(resident_ref__in=hidden) | Q(payee_ref__in=hidden)
    count = Obligation.objects.filter(either, attempts__batch=batch, attempts__state__in=IN_FLIGHT).count()
    if count:
        raise PaymentHeld(f"{count} payments of {batch} are held since it was made: drop it and make it again.")

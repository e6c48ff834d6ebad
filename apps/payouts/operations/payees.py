"""Who is paid: looked at again until a payment is approved, for a household may agree otherwise at any time."""

from collections.abc import Sequence
from datetime import datetime

from apps.kernel.errors import KanpuError
from apps.payouts.models import Batch, Obligation
from apps.payouts.outcomes import DRAFT
from apps.payouts.queries.payees import payees_of

HEAD = Obligation.Payee.HEAD


class PayeeChanged(KanpuError):
    """Somebody took back that the head of the household is paid."""

    code = "payee_changed"


def update_payees(obligations: Sequence[Obligation], *, at: datetime) -> None:
    """Have what goes to a head now, or does no more, go there: in the caller's transaction, before it is paid."""
    found = payees_of({one.resident_ref for one in obligations}, at=at)
    changed = []
    for one in obligations:
        payee = found[one.resident_ref]
        if (one.payee_ref, one.payee_kind) != payee and HEAD in (one.payee_kind, payee.kind):
            one.payee_ref, one.payee_kind = payee
            changed.append(one)
    Obligation.objects.bulk_update(changed, ["payee_ref", "payee_kind"], batch_size=1_000)


def check_heads(batch: Batch, *, at: datetime) -> None:
    """Raise PayeeChanged unless every head whom a draft pays for others is still to be paid."""
    owed = Obligation.objects.filter(attempts__batch=batch, attempts__state=DRAFT, payee_kind=HEAD)
    paid = dict(owed.values_list("resident_ref", "payee_ref"))
    found = payees_of(paid, at=at) if paid else {}
    if any(found[ref].ref != payee for ref, payee in paid.items()):
        raise PayeeChanged(f"A household took back that its head is paid: drop {batch} and make it again.")

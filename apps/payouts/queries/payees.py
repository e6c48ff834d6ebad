"""To whom what residents are owed is paid."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.utils import timezone

from apps.payouts.models import Obligation
from apps.residents.models import Membership
from apps.residents.queries.head_payments import heads_paid


class Payee(NamedTuple):
    """Who is paid, and as what: an `Obligation.Payee`."""

    ref: UUID
    kind: str


def payees_of(refs: Collection[UUID], *, at: datetime) -> dict[UUID, Payee]:
    """For each of these residents: for a child the parent whom the register names today, for an adult the head of the
    household, if all its adults agree. Five queries.
    """
    found = {ref: Payee(ref, Obligation.Payee.RESIDENT) for ref in refs}
    children = Membership.objects.filter(
        resident__in=list(refs), payee__isnull=False, valid__contains=timezone.localdate(at)
    )
    for ref, payee in children.values_list("resident_id", "payee_id"):
        if payee and payee != ref:
            found[ref] = Payee(payee, Obligation.Payee.PARENT)
    for ref, head in heads_paid([ref for ref, payee in found.items() if payee.ref == ref], at=at).items():
        found[ref] = Payee(head, Obligation.Payee.HEAD)
    return found

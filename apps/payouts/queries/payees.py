"""To whom what residents are owed is paid."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.utils import timezone

from apps.payouts.models import Obligation
from apps.residents.models import Membership


class Payee(NamedTuple):
    """Who is paid, and as what: an `Obligation.Payee`."""

    ref: UUID
    kind: str


def payees_of(refs: Collection[UUID], *, at: datetime) -> dict[UUID, Payee]:
    """For each of these residents: for a child the parent whom the register names today. One query."""
    found = {ref: Payee(ref, Obligation.Payee.RESIDENT) for ref in refs}
    children = Membership.objects.filter(
        resident__in=list(refs), payee__isnull=False, valid__contains=timezone.localdate(at)
    )
    for ref, payee in children.values_list("resident_id", "payee_id"):
        if payee and payee != ref:
            found[ref] = Payee(payee, Obligation.Payee.PARENT)
    return found

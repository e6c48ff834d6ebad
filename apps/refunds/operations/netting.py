"""Netting: what earlier refunds gave too much is taken from what is due now, and what is paid is kept as paid."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from apps.kernel.errors import KanpuError
from apps.refunds.models import EFFECTIVE, Run, Settlement
from apps.refunds.netting_rule import netted
from apps.refunds.operations.steps import check_state, record
from apps.refunds.queries.settlements import debts_of_those_due, left_of

NETTING_LOCK: Final = 20150904  # the class of the advisory lock that is held while debts are netted


class PaidTooMuch(KanpuError):
    """More was paid than is left of a refund after what was paid, netted and lapsed before."""

    code = "paid_too_much"


class NotPaid(KanpuError):
    """What came back was not paid like this."""

    code = "not_paid"


def net_debts(run: Run, *, now: datetime) -> int:
    """Net open debts of residents against what the run gives them, in the caller's transaction. Returns how many.

    One run at a time, of whichever year: two would take the same debt from what either gives.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, 0)", [NETTING_LOCK])
    rows: list[Settlement] = []
    for resident_ref, (due_minor, debts) in debts_of_those_due(run).items():
        rows += [
            Settlement(
                resident_ref=resident_ref, tax_year=run.tax_year_id, run=run.number, at=now,
                kind=Settlement.Kind.NETTED, amount_minor=part, against_year=debt.tax_year, against_run=debt.run,
            )
            for debt, part in netted(due_minor, debts)
        ]  # fmt: skip
    Settlement.objects.bulk_create(rows, batch_size=5_000)
    _add(run, netted_minor=sum(row.amount_minor for row in rows))
    return len(rows)


def _add(run: Run, **sums: int) -> None:
    """Add to what the run's row says of its settlements, so that nobody has to add them up."""
    Run.objects.filter(pk=run.pk).update(**{name: F(name) + amount for name, amount in sums.items()})


@transaction.atomic
def record_payments(run: Run, paid: Iterable[tuple[UUID, int]], *, at: datetime, actor: str) -> int:
    """Keep what was paid to whom, in minor units, of an approved run's refunds. Returns how many.

    Raises WrongState, and PaidTooMuch when it is more than is left of somebody's refund.
    """
    check_state(Run.objects.select_for_update().get(pk=run.pk), *EFFECTIVE)
    sums: dict[UUID, int] = defaultdict(int)
    for resident_ref, amount_minor in paid:
        sums[resident_ref] += amount_minor
    left = left_of(run, sums)
    for resident_ref, amount_minor in sums.items():
        if amount_minor > left.get(resident_ref, 0):
            raise PaidTooMuch(
                f"{amount_minor} were paid to {resident_ref}, of whose refund of {run}"
                f" {left.get(resident_ref, 0)} minor units are left."
            )
    Settlement.objects.bulk_create(
        Settlement(
            resident_ref=ref,
            tax_year=run.tax_year_id,
            run=run.number,
            kind=Settlement.Kind.PAID,
            amount_minor=amount,
            at=at,
        )
        for ref, amount in sums.items()
    )
    _add(run, paid_minor=sum(sums.values()))
    record(run, "run.paid", actor, {"refunds": len(sums), "amount_minor": sum(sums.values())})
    return len(sums)


@transaction.atomic
def take_back_payments(run: Run, returned: Iterable[tuple[UUID, int]], *, actor: str) -> int:
    """Take back what `record_payments` kept, because a bank sent the money back. Returns how many.

    Raises WrongState, and NotPaid where another amount, or nothing, was paid.
    """
    check_state(Run.objects.select_for_update().get(pk=run.pk), *EFFECTIVE)
    sums = dict(returned)
    paid = Settlement.objects.filter(tax_year=run.tax_year_id, run=run.number, kind=Settlement.Kind.PAID)
    known = dict(paid.filter(resident_ref__in=list(sums)).values_list("resident_ref", "amount_minor"))
    if known != sums:
        raise NotPaid(f"What came back of {run} is not what was paid: {len(sums)} payments, {len(known)} are known.")
    paid.filter(resident_ref__in=list(sums)).delete()
    _add(run, paid_minor=-sum(sums.values()))
    record(run, "run.payment_returned", actor, {"refunds": len(sums), "amount_minor": sum(sums.values())})
    return len(sums)

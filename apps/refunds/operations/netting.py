"""Netting: what earlier refunds gave too much is taken from what is due now, and what is paid is kept as paid."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db import transaction

from apps.refunds.models import Run, Settlement
from apps.refunds.netting_rule import netted
from apps.refunds.operations.steps import record
from apps.refunds.queries.settlements import debts_of_those_due


def net_debts(run: Run, *, now: datetime) -> int:
    """Net open debts of residents against what the run gives them, in the caller's transaction. Returns how many."""
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
    return len(rows)


@transaction.atomic
def record_payments(run: Run, paid: Iterable[tuple[UUID, int]], *, at: datetime, actor: str) -> int:
    """Keep what was paid to whom, in minor units, of a run's refunds. Returns how many."""
    sums: dict[UUID, int] = defaultdict(int)
    for resident_ref, amount_minor in paid:
        sums[resident_ref] += amount_minor
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
    record(run, "run.paid", actor, {"refunds": len(sums), "amount_minor": sum(sums.values())})
    return len(sums)

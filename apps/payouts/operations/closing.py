"""Closing a run once every yen of it is accounted for."""

from django.db import transaction

from apps.kernel.errors import KanpuError
from apps.payouts.queries.reconciling import carried_of, reckoning
from apps.refunds.models import Run, RunState
from apps.refunds.operations.approving import close_run
from apps.refunds.operations.steps import locked_in


class StillOpen(KanpuError):
    """Something of the run is neither paid nor carried nor settled otherwise, or its sums do not agree."""

    code = "still_open"


@transaction.atomic
def close_paid_run(year: int, *, actor: str, number: int | None = None) -> Run:
    """Close a run whose reckoning adds up with nothing open. Raises RunMissing, WrongState, StillOpen, NotSettled."""
    run = locked_in(year, RunState.PAYING, number)
    found = reckoning(run)
    if not found.is_done:
        raise StillOpen(f"{run} cannot be closed: see manage.py reconcile_payouts {year} --run {run.number}")
    return close_run(year, actor=actor, number=run.number, carried=carried_of(run))

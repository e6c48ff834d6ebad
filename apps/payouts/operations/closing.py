"""Closing a run once every yen of it is accounted for."""

from django.db import transaction

from apps.kernel.errors import KanpuError
from apps.payouts.queries.reconciling import carried_of, reckoning
from apps.refunds.models import Run, RunState
from apps.refunds.operations.approving import close_run
from apps.refunds.operations.steps import locked_in


class DoesNotAddUp(KanpuError):
    """The sums of the run's payments do not agree."""

    code = "does_not_add_up"


@transaction.atomic
def close_paid_run(year: int, *, actor: str, number: int | None = None) -> Run:
    """Close a run whose payments add up, and of which nothing is open but what is carried over.

    Raises RunMissing, WrongState, DoesNotAddUp and NotSettled.
    """
    run = locked_in(year, RunState.PAYING, number)
    if not reckoning(run).adds_up:
        raise DoesNotAddUp(
            f"The payments of {run} do not add up: see manage.py reconcile_payouts {year} --run {run.number}"
        )
    return close_run(year, actor=actor, number=run.number, carried=carried_of(run))

"""Putting a year under another scheme, or checking its totals: only while no run has made anything of them."""

from collections.abc import Callable

from django.utils import timezone

from apps.accruals.operations.recounting import Recount, recount_year
from apps.kernel.errors import KanpuError
from apps.purchases.queries import uncounted
from apps.refunds.models import Run, RunState
from apps.refunds.operations.steps import alone
from apps.schemes.models import SchemeVersion
from apps.schemes.queries import tax_year


class YearHasRuns(KanpuError):
    """Refunds of the year were assessed, or are about to be, under the scheme that it has."""

    code = "year_has_runs"


class PurchasesWait(KanpuError):
    """Purchases that were accepted under the scheme that the year has are not counted yet."""

    code = "outbox_not_empty"


def recount(
    year: int, *, version: SchemeVersion, actor: str, seen: Callable[[int], None], dry_run: bool = False
) -> Recount:
    """Build a year's totals from its entries, and put the year under `version`; `dry_run` only compares.

    Under the scheme that the year has, this may always be done. Raises YearNotStarted, SchemeDoesNotFit, YearHasRuns
    while a run that was not withdrawn goes by the old scheme, PurchasesWait, StepRunning.
    """
    changes = version.pk != tax_year(year).scheme_version_id and not dry_run
    with alone(year):
        if changes and Run.objects.filter(tax_year_id=year).exclude(state=RunState.WITHDRAWN).exists():
            raise YearHasRuns(f"{year} has runs under its scheme. Undo the run first; an approved one stands.")
        if changes and (left := uncounted()[1]):
            raise PurchasesWait(f"{left} purchases wait to be counted. Count them first: sweep_outbox --once")
        return recount_year(year, version=version, now=timezone.now(), actor=actor, seen=seen, dry_run=dry_run)

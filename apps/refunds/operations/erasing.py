"""Erasing a year's purchases once its retention date has come and nothing of it is unfinished."""

import logging
from collections.abc import Callable
from datetime import date

from django.utils import timezone

from apps.accruals.operations.erasing import Erasure, erase_purchases, has_uncounted, to_be_erased
from apps.kernel.errors import KanpuError
from apps.kernel.progress import nothing_seen
from apps.refunds.models import EFFECTIVE, UNFINISHED, Run
from apps.refunds.operations.steps import alone
from apps.schemes.models import TaxYear
from apps.schemes.queries import scheme_of, tax_year
from apps.schemes.retention import retention_date

logger = logging.getLogger(__name__)


class RetentionNotOver(KanpuError):
    """The year's purchases are to be kept still."""

    code = "retention_not_over"


class YearNotSettled(KanpuError):
    """A run of the year is unfinished, none was approved, or purchases wait to be counted."""

    code = "year_not_settled"


def erase_year(
    year: int, *, today: date, actor: str, dry_run: bool = False, seen: Callable[[int, int], None] = nothing_seen
) -> Erasure:
    """Erase a year's purchases, with shops and times, from its retention date on. Totals, refunds and proofs stay.

    Returns what there was to erase; `dry_run` changes nothing. Again is harmless, and goes on with what died half-way.
    Raises YearNotStarted, RetentionNotOver, YearNotSettled, StepRunning.
    """
    row = tax_year(year)
    with alone(year):
        _check(row, today)
        if dry_run:
            return to_be_erased(year)
        return erase_purchases(year, now=timezone.now(), actor=actor, seen=seen)


def erase_due(*, today: date, actor: str) -> int:
    """Erase all years whose retention date has come. Returns how many purchases; a year that cannot be is left out."""
    purchases = 0
    for row in TaxYear.objects.order_by("year"):
        if retention_date_of(row) <= today:
            try:
                purchases += erase_year(row.year, today=today, actor=actor).purchases
            except KanpuError as error:
                logger.warning("The purchases of %s are not erased: %s", row.year, error.code)
    return purchases


def retention_date_of(row: TaxYear) -> date:
    """The first day on which the year's purchases are to be erased."""
    return retention_date(scheme_of(row.scheme_version_id), row.deadline_at)


def _check(row: TaxYear, today: date) -> None:
    if today < (first_day := retention_date_of(row)):
        raise RetentionNotOver(f"The purchases of {row.year} are kept: they may be erased from {first_day} on.")
    runs = Run.objects.filter(tax_year_id=row.year)
    if runs.filter(state__in=UNFINISHED).exists() or not runs.filter(state__in=EFFECTIVE).exists():
        raise YearNotSettled(f"A run of {row.year} is unfinished, or none was approved. Finish it first: year_end.")
    if has_uncounted(row.year):
        raise YearNotSettled(f"Purchases of {row.year} wait to be counted: sweep_outbox --once --retry-failed")

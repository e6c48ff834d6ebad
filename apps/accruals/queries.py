"""Reading a resident's entries and totals."""

from collections.abc import Iterator
from typing import NamedTuple
from uuid import UUID

from django.db.models import QuerySet, Sum

from apps.accruals.models import ArchivePart, Entry, Total


class MonthSpend(NamedTuple):
    """What a resident spent on a tier in a month, over all runs up to one."""

    resident_ref: UUID
    month: int
    tier: str
    amount_minor: int
    purchases: int


def spend_of_year(year: int, *, up_to_run: int) -> Iterator[MonthSpend]:
    """The spend of all residents counted under runs 1 to `up_to_run`, by resident, month and tier; flat in memory."""
    return (MonthSpend(*row) for row in _spend(year, up_to_run).iterator(chunk_size=20_000))


def spend_of_resident(resident_ref: UUID, year: int) -> list[MonthSpend]:
    """One resident's spend by month and tier, over all runs, test purchases of a test resident included."""
    rows = Total.objects.filter(resident_ref=resident_ref, tax_year=year)
    return [MonthSpend(*row) for row in _summed(rows)]


def entries_of_resident(resident_ref: UUID, year: int) -> "QuerySet[Entry]":
    """One resident's purchases of a year, the newest first."""
    return Entry.objects.filter(resident_ref=resident_ref, tax_year=year).order_by("-at", "terminal_id", "-seq")


def newest_year_of(resident_ref: UUID) -> int | None:
    """The last year in which something of the resident's was counted, or None."""
    rows = Total.objects.filter(resident_ref=resident_ref).order_by("-tax_year")
    return rows.values_list("tax_year", flat=True).first()


class YearSpend(NamedTuple):
    """What all residents spent on a tier in a month, over all runs up to one, in minor units."""

    month: int
    tier: str
    amount_minor: int


def spend_of_all(year: int, *, up_to_run: int) -> list[YearSpend]:
    """All residents' spend together by month and tier, counted under runs 1 to `up_to_run`: one query."""
    rows = Total.objects.filter(tax_year=year, run__gte=1, run__lte=up_to_run).order_by("month", "tier")
    return [YearSpend(*row) for row in rows.values_list("month", "tier").annotate(amount=Sum("amount_minor"))]


def archive_parts(year: int, *, up_to_run: int) -> list[ArchivePart]:
    """The archive's parts of runs 1 to `up_to_run`, in order."""
    return list(ArchivePart.objects.filter(tax_year=year, run__lte=up_to_run).order_by("part"))


def _spend(year: int, up_to_run: int) -> "QuerySet[Total, tuple[UUID, int, str, int, int]]":
    return _summed(Total.objects.filter(tax_year=year, run__gte=1, run__lte=up_to_run))


def _summed(rows: "QuerySet[Total]") -> "QuerySet[Total, tuple[UUID, int, str, int, int]]":
    return (
        rows.order_by("resident_ref", "month", "tier")
        .values_list("resident_ref", "month", "tier")
        .annotate(amount=Sum("amount_minor"), count=Sum("purchases"))
    )

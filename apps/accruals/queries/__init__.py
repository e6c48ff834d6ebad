"""Reading a resident's entries and totals."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from itertools import groupby
from operator import add, itemgetter
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import Count, Q, QuerySet, Sum, UUIDField
from django.db.models.functions import Coalesce

from apps.accruals.answers import ANNULLED, ANSWERABLE
from apps.accruals.measuring import measure_of
from apps.accruals.models import ArchivePart, Entry, Total, Withheld
from apps.accruals.tallies import ALL_TIERS, Line, rebuilt
from apps.kernel.arrays import numbers_array
from apps.kernel.database import Ask, Cursor, Place, Statement, raw_connection, sql_of
from apps.purchases.following import Amounts, Key
from apps.purchases.followups import read_threads
from apps.purchases.queries import year_rules
from apps.purchases.rulings import follow_ruled
from apps.schemes.document import Scheme


class MonthSpend(NamedTuple):
    """What was spent on a tier in a month, in minor units."""

    month: int
    tier: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class ResidentYear:
    """A resident's year, twelve months each, in minor units: spend by tier and, where the scheme measures it, more.

    `bases` is what single purchases bring, by tier; `purchases` how many there are, each counted once.
    """

    resident_ref: UUID
    spend: dict[str, list[int]] = field(default_factory=dict)
    bases: dict[str, list[int]] = field(default_factory=dict)
    purchases: list[int] = field(default_factory=lambda: [0] * 12)


SAMPLED: Final = 256  # one reference in so many
ROW_FIELDS: Final = ("resident_ref", "tier", "amounts_minor", "purchases", "bases_minor")
YEARS_OF_RESIDENT: Final = Statement(
    f"SELECT tax_year, {', '.join(ROW_FIELDS)} FROM accruals_total WHERE resident_ref = $1 AND tax_year = ANY($2)"  # noqa: S608
)
Row = tuple[UUID, str, list[int], list[int], list[int] | None]


def residents_years(year: int, *, up_to_run: int, first: UUID, last: UUID) -> Iterator[ResidentYear]:
    """What was counted under runs 1 to `up_to_run` for the residents from `first` to `last`, both included.

    By reference; flat in memory.
    """
    return _by_resident(_rows(year, up_to_run).filter(resident_ref__range=(first, last)).iterator(chunk_size=20_000))


def years_of(year: int, refs: Collection[UUID], *, up_to_run: int) -> Iterator[ResidentYear]:
    """The same for these residents, those without purchases left out."""
    return _by_resident(_rows(year, up_to_run).filter(resident_ref__in=refs).iterator(chunk_size=20_000))


def years_under(
    year: int, *, up_to_run: int, scheme: Scheme, refs: Collection[UUID] | None = None
) -> Iterator[ResidentYear]:
    """What residents' years, all or those of `refs`, would be under another scheme; nothing is written; flat in memory.

    By reference. Purchases stay in the months in which they were counted. A scheme that measures purchases needs every
    entry, any other only the totals.
    """
    measure = measure_of(scheme, year)
    if measure is None and refs is not None:
        return years_of(year, refs, up_to_run=up_to_run)
    if measure is None:
        return residents_years(year, up_to_run=up_to_run, first=UUID(int=0), last=UUID(int=2**128 - 1))
    return (
        _added_up(ref, ((ref, tier, t.amounts_minor, t.purchases, t.bases_minor) for (_, tier), t in totals.items()))
        for ref, lines in lines_by_resident(year, runs=(1, up_to_run), refs=refs)
        for totals in [rebuilt(lines, measure)]
    )


def lines_by_resident(
    year: int, *, runs: tuple[int, int], refs: Collection[UUID] | None = None
) -> Iterator[tuple[UUID, Iterator[Line]]]:
    """Residents' entries of a year, of the first to the last of `runs`, by reference; flat in memory.

    Every resident's, or those of `refs`.
    """
    sale = Coalesce("of_terminal_id", "terminal_id"), Coalesce("of_seq", "seq")
    rows = Entry.objects.filter(tax_year=year, run__range=runs).order_by("resident_ref")
    rows = rows if refs is None else rows.filter(resident_ref__in=refs)
    fields = rows.values_list("resident_ref", *sale, "at", "run", "month", "tiers", "amounts_minor")
    for ref, of_one in groupby(fields.iterator(chunk_size=20_000), key=itemgetter(0)):
        yield ref, (Line((terminal_id, seq), *rest) for _, terminal_id, seq, *rest in of_one)


def ask_years_of_resident(resident_ref: UUID, years: Collection[int]) -> Ask:
    """Some years of one resident over all runs, test purchases of a test resident included: see `years_in`."""
    return Ask(YEARS_OF_RESIDENT, (str(resident_ref), numbers_array(years)))


def years_in(rows: Sequence[tuple[Any, ...]], resident_ref: UUID, years: Collection[int]) -> dict[int, ResidentYear]:
    """Each of the years that `ask_years_of_resident` asked for."""
    return {year: _added_up(resident_ref, (row[1:] for row in rows if row[0] == year)) for year in years}


def year_of_residents(refs: Collection[UUID], year: int) -> dict[UUID, ResidentYear]:
    """The same of some residents, those of whom something was counted: one query."""
    rows = Total.objects.filter(resident_ref__in=refs, tax_year=year).order_by("resident_ref").values_list(*ROW_FIELDS)
    return {found.resident_ref: found for found in _by_resident(rows)}


def entries_of_resident(resident_ref: UUID | Place, year: int | Place) -> "QuerySet[Entry]":
    """One resident's purchases of a year, the newest first."""
    # By months first, which follow from the times: so their index gives the newest without reading the others.
    rows = Entry.objects.filter(resident_ref=resident_ref, tax_year=year)
    return rows.order_by("-month", "-at", "terminal_id", "-seq")


def newest_year_of(resident_ref: UUID) -> int | None:
    """The last year in which something of the resident's was counted, or None."""
    rows = Total.objects.filter(resident_ref=resident_ref).order_by("-tax_year")
    return rows.values_list("tax_year", flat=True).first()


def residents_with_totals(year: int, *, up_to_run: int) -> int:
    """How many residents have something counted under runs 1 to `up_to_run`: one query over the year's totals."""
    rows = Total.objects.filter(tax_year=year, run__gte=1, run__lte=up_to_run)
    return int(rows.aggregate(residents=Count("resident_ref", distinct=True))["residents"])


def spend_of_all(year: int, *, up_to_run: int) -> list[MonthSpend]:
    """All residents' spend together by month and tier, counted under runs 1 to `up_to_run`: one query.

    Those at nothing are left out.
    """
    rows = Total.objects.filter(tax_year=year, run__gte=1, run__lte=up_to_run).exclude(tier="").order_by("tier")
    sums = [Sum(f"amounts_minor__{month}") for month in range(12)]
    by_tier: Iterable[tuple[Any, ...]] = rows.values_list("tier").annotate(*sums)
    cells = (MonthSpend(i + 1, tier, amount) for tier, *months in by_tier for i, amount in enumerate(months))
    return sorted(cell for cell in cells if cell.amount_minor)


def residents_about(year: int) -> int:
    """About how many residents have totals of a year: references are drawn at random, so a few of them tell."""
    some = Total.objects.filter(tax_year=year, resident_ref__lt=UUID(int=2**128 // SAMPLED))
    return int(some.aggregate(residents=Count("resident_ref", distinct=True))["residents"]) * SAMPLED


def archive_parts(year: int, *, up_to_run: int) -> list[ArchivePart]:
    """The archive's parts of runs 1 to `up_to_run`, in order."""
    return list(ArchivePart.objects.filter(tax_year=year, run__lte=up_to_run).order_by("part"))


class HeldPurchase(NamedTuple):
    """A purchase that was held because its card was lost or replaced: what is left of it, in minor units by tier.

    `status` and `code` say what it is now, `answer` what the resident said: '', 'confirmed' or 'denied'.
    """

    terminal_id: int
    seq: int
    at: datetime
    amounts: Mapping[str, int]
    status: str
    code: str
    answer: str


def held_of_resident(resident_ref: UUID, *, first: int, most: int) -> list[HeldPurchase]:
    """The resident's purchases that wait for an answer or had one, the newest first, `most` from number `first` on.

    A query for them, and a few for their amounts, however many they are.
    """
    rows = list(_held(resident_ref).order_by("-at", "terminal_id", "seq")[first : first + most])
    left = amounts_left([Key(row.terminal_id, row.seq) for row in rows])
    return [
        HeldPurchase(
            row.terminal_id, row.seq, row.at, left.get(Key(row.terminal_id, row.seq), {}), row.status, row.code,
            row.answer,
        )
        for row in rows
    ]  # fmt: skip


def amounts_left(sales: Sequence[Key]) -> Mapping[Key, Amounts]:
    """What is left of each of these sales as tills sent them, in minor units by tier: a few queries, none for none."""
    if not sales:
        return {}
    with connection.cursor(), Cursor(raw_connection()) as cursor:
        threads = read_threads(cursor, sales)
    rules = year_rules()
    return {
        key: follow_ruled(t.original, t.followers, t.rulings, rules).left for key, t in threads.items() if t.original
    }


def number_held(resident_ref: UUID, *, unanswered: bool = False) -> int:
    """How many there are, or how many of them wait for an answer: one query."""
    rows = _held(resident_ref)
    return (rows.filter(answer="") if unanswered else rows).count()


def ask_unanswered(resident_ref: UUID) -> Ask:
    """How many of the resident's purchases wait for an answer: a row with a number."""
    return Ask(_unanswered(), (str(resident_ref),))


@cache
def _unanswered() -> Statement:
    return Statement(f"SELECT count(*) FROM ({sql_of(_held(Place(1, UUIDField())).filter(answer=''))}) held")  # noqa: S608


def _held(resident_ref: UUID | Place) -> "QuerySet[Withheld]":
    of_cards = Q(status="held", code__in=ANSWERABLE) | ~Q(answer__in=("", ANNULLED))
    return Withheld.objects.filter(of_cards, resident_ref=resident_ref)


def _rows(year: int, up_to_run: int) -> "QuerySet[Total, Row]":
    rows = Total.objects.filter(tax_year=year, run__gte=1, run__lte=up_to_run)
    return rows.order_by("resident_ref").values_list(*ROW_FIELDS)


def _by_resident(rows: Iterable[Row]) -> Iterator[ResidentYear]:
    return (_added_up(ref, of_one) for ref, of_one in groupby(rows, key=itemgetter(0)))


def _added_up(resident_ref: UUID, rows: Iterable[Row]) -> ResidentYear:
    """One resident's rows of several runs as one year."""
    year = ResidentYear(resident_ref)
    for _, tier, amounts, purchases, bases in rows:
        if tier == ALL_TIERS:
            year.purchases[:] = map(add, year.purchases, purchases)
            continue
        _add(year.spend, tier, amounts)
        if bases is not None:
            _add(year.bases, tier, bases)
    return year


def _add(months_of: dict[str, list[int]], tier: str, months: list[int]) -> None:
    known = months_of.get(tier)
    months_of[tier] = list(map(add, known, months)) if known else months

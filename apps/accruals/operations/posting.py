"""Writing residents' entries and totals, inside the caller's transaction.

Everybody takes locks in one order: years, then cards, then totals by their keys.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
from django.db import InterfaceError, OperationalError
from psycopg.types.string import BytesBinaryDumper

from apps.accruals.measuring import Measure, Measured, measure_of, measured
from apps.accruals.models import TEST_RUN
from apps.accruals.tallies import Counted, Tally, first_uses, tally
from apps.audit.operations import Cause
from apps.kernel.arrays import bigint_array, numbers_array, quoted_array, smallint_array, text_array, uuids_array
from apps.kernel.errors import KanpuError
from apps.merchants.models import Mode
from apps.purchases.following import Amounts, Follower, Key, Version
from apps.purchases.ranges import Ranges, contains, ranges_text, read_ranges, to_ranges
from apps.purchases.records import read_line
from apps.residents.judging import CardRecord
from apps.schemes.queries import YEAR_LOCK, scheme_of

Cursor = psycopg.Cursor[Any]
JUDGING_LOCK: Final = 20150903  # the class of the advisory lock of all who go by the register
ENTRY_COLUMNS: Final = Counted._fields[:-1]  # without what is measured
ARRAYS_FROM: Final = ENTRY_COLUMNS.index("tiers")
ENTRY_TYPES: Final = (
    "uuid", "int2", "int4", "int4", "int2", "int2", "int2", "timestamptz", "int8", "int8", "text", "int4", "int4",
    "bytea", "bytea", "bytea",  # the arrays, in their binary form already
)  # fmt: skip
ZEROS: Final = ("0",) * 12


def _twelve(sums: str) -> str:
    """An array of a sum a month, where {month} in `sums` is its number."""
    return "ARRAY[" + ", ".join(sums.format(month=month) for month in range(1, 13)) + "]"


# Sorted, so that totals are locked in one order.
ADD_TOTALS: Final = (
    "INSERT INTO accruals_total AS t (resident_ref, tax_year, run, tier, amounts_minor, purchases, bases_minor)"
    " SELECT resident_ref, tax_year, run, tier, amounts_minor::int8[], purchases::int4[],"
    " nullif(bases_minor, '')::int8[]"
    " FROM unnest(%s::uuid[], %s::int2[], %s::int2[], %s::text[], %s::text[], %s::text[], %s::text[])"
    " AS added (resident_ref, tax_year, run, tier, amounts_minor, purchases, bases_minor)"
    " ORDER BY resident_ref, tax_year, run, tier"
    " ON CONFLICT (resident_ref, tax_year, run, tier) DO UPDATE SET"
    f" amounts_minor = {_twelve('t.amounts_minor[{month}] + excluded.amounts_minor[{month}]')},"
    f" purchases = {_twelve('t.purchases[{month}] + excluded.purchases[{month}]')},"
    # A total that has bases and one that has none do not add up, and the table's constraint says so.
    " bases_minor = CASE WHEN num_nonnulls(t.bases_minor, excluded.bases_minor) > 0"
    f" THEN {_twelve('t.bases_minor[{month}] + excluded.bases_minor[{month}]')} END"
)
ADD_COUNTERS: Final = (
    "INSERT INTO accruals_cardcounter AS c (resident_ref, card, used)"
    " SELECT * FROM unnest(%s::uuid[], %s::int8[], %s::int8multirange[])"
    " ON CONFLICT (resident_ref, card) DO UPDATE SET used = c.used + excluded.used"
    " RETURNING c.card, OLD.used::text"
)


def is_nobodys_fault(error: Exception) -> bool:
    """Whether work that failed is fine and waits: the database went away, a deadlock was broken, keys are missing.

    What is too large for the database (SQLSTATE class 54) counts as an operational error there; it is the work's fault.
    """
    if isinstance(error, OperationalError):
        return not str(getattr(error.__cause__, "sqlstate", None) or "").startswith("54")
    return isinstance(error, InterfaceError | KanpuError)


class OpenYear(NamedTuple):
    """The numbers a year counts under at the moment, its scheme's time zone, and how that measures purchases.

    Once the year `is_erased`, nothing of it is settled any more.
    """

    run: int
    part: int
    zone: ZoneInfo
    measure: Measure | None
    is_erased: bool = False

    def day_of(self, at: datetime) -> date:
        """The day of a time in the scheme's time zone."""
        return at.astimezone(self.zone).date()

    def measured(self, at: datetime, before: Amounts, after: Amounts) -> Measured | None:
        """What the year's totals must know of a purchase of which another amount is left."""
        return measured(self.measure, self.day_of(at).month, before, after) if self.measure else None


class Holder(NamedTuple):
    """Whose account a sale is on, and by which card and counter, if by one."""

    resident_ref: UUID
    mode: str
    card: int | None = None
    counter: int | None = None


class Use(NamedTuple):
    """A card's use that may count."""

    card: CardRecord
    counter: int

    @property
    def holder(self) -> Holder:
        """Whose account it is for."""
        return Holder(self.card.resident_ref, self.card.mode, self.card.card, self.counter)


def begin_judging(cursor: Cursor) -> None:
    """Go by cards and residents as they are read from here on, until commit: who judges again after a change waits.

    Before anything is read: a verdict from before the change is then committed before it is looked for, or comes after.
    """
    cursor.execute("SELECT pg_advisory_xact_lock_shared(%s, 0)", (JUDGING_LOCK,))


def hold_years(cursor: Cursor, years: Collection[int]) -> dict[int, OpenYear]:
    """The open run and part of each year, held until commit: who closes a run waits for us.

    Shared row locks alone would let ever new workers past somebody who waits to close; the advisory lock is first
    come, first served.
    """
    for year in sorted(years):
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s, %s)", (YEAR_LOCK, year))
    rows = cursor.execute(
        "SELECT year, open_run, open_part, scheme_version_id, erased_at IS NOT NULL FROM schemes_taxyear"
        " WHERE year = ANY(%s)"
        " ORDER BY year FOR SHARE",
        (list(years),),
    ).fetchall()
    return {
        year: OpenYear(run, part, ZoneInfo(scheme_of(version).time_zone), _measure_of(version, year), is_erased)
        for year, run, part, version, is_erased in rows
    }


@lru_cache(maxsize=64)
def _measure_of(scheme_version_id: int, year: int) -> Measure | None:
    """Versions are immutable, so this is made once a process."""
    return measure_of(scheme_of(scheme_version_id), year)


def spend_counters(cursor: Cursor, uses: Sequence[Use]) -> list[bool]:
    """For each use, in order, whether it is its counter's first. Locks cards in resident order.

    Published test cards are used by many tills at once, each with counters of its own: only counters that were spent
    beforehand, as those of the magic cloned card are, count as used.
    """
    live = [use for use in uses if use.card.mode == Mode.LIVE]
    used = _add_counters(cursor, live) | _counters_of_test_cards(cursor, uses)
    first = iter(first_uses([(use.card.card, use.counter) for use in live], used))
    return [
        next(first) if use.card.mode == Mode.LIVE else not contains(used.get(use.card.card, ()), use.counter)
        for use in uses
    ]


def clone_alarm(sale: Key) -> Cause:
    """The alarm of a sale that is a second use of its card's counter."""
    return Cause("card_cloned", f"{sale.terminal_id}:{sale.seq}", {"terminal_id": sale.terminal_id, "seq": sale.seq})


def _add_counters(cursor: Cursor, uses: Sequence[Use]) -> dict[int, Ranges]:
    """Add the counters to their cards. Returns what those cards had used before of which that may be one.

    A card counts upwards, so what it had used before is seldom worth reading.
    """
    counters: dict[int, list[int]] = defaultdict(list)
    for use in uses:
        counters[use.card.card].append(use.counter)
    cards = sorted({use.card.card: use.card for use in uses}.values(), key=lambda c: (c.resident_ref.int, c.card))
    values = (
        uuids_array([card.resident_ref.int for card in cards]),
        numbers_array([card.card for card in cards]),
        quoted_array([ranges_text(to_ranges(counters[card.card])) for card in cards]),
    )
    before = cursor.execute(ADD_COUNTERS, values).fetchall()
    return {card: read_ranges(used) for card, used in before if used and min(counters[card]) < _end_of(used)}


def _end_of(used: str) -> int:
    """The number after the highest in a multirange's text."""
    return int(used[used.rindex(",") + 1 : -2])


def _counters_of_test_cards(cursor: Cursor, uses: Sequence[Use]) -> dict[int, Ranges]:
    cards = {(use.card.resident_ref, use.card.card) for use in uses if use.card.mode == Mode.TEST}
    if not cards:
        return {}
    rows = cursor.execute(
        "SELECT card, used FROM accruals_cardcounter JOIN unnest(%b::uuid[], %b::int8[]) AS k (r, c)"
        " ON (k.r, k.c) = (resident_ref, card)",
        ([resident for resident, _ in cards], [card for _, card in cards]),
    ).fetchall()
    return {card: [(r.lower, r.upper) for r in used] for card, used in rows}


def sale_entry(holder: Holder, key: Key, sold: Version, year: OpenYear) -> Counted:
    """The entry of a whole sale."""
    at, tax_year, amounts = sold
    return Counted(  # by place: every counted purchase comes through here
        holder.resident_ref,
        tax_year,
        key.terminal_id,
        key.seq,
        TEST_RUN if holder.mode == Mode.TEST else year.run,
        year.part,
        year.day_of(at).month,
        at,
        holder.card,
        holder.counter,
        "sale",
        None,
        None,
        tuple(amounts),
        tuple(amounts.values()),
        (1,) * len(amounts),
        year.measured(at, {}, amounts) if year.measure else None,
    )


class Change(NamedTuple):
    """What is left of a sale at one time of it, by its entries before and as it should be."""

    tax_year: int
    at: datetime
    before: Amounts
    after: Amounts

    @property
    def tiers(self) -> tuple[str, ...]:
        """Those of which another amount is left."""
        both = sorted({*self.before, *self.after})
        return tuple(tier for tier in both if self.before.get(tier, 0) != self.after.get(tier, 0))


def change_entry(holder: Holder, sale: Key, cause: Follower, change: Change, year: OpenYear) -> Counted:
    """The entry of what a follow-up changes of its sale."""
    before, after, tiers = change.before, change.after, change.tiers
    return Counted(
        resident_ref=holder.resident_ref,
        tax_year=change.tax_year,
        terminal_id=cause.key.terminal_id,
        seq=cause.key.seq,
        run=TEST_RUN if holder.mode == Mode.TEST else year.run,
        part=year.part,
        month=year.day_of(change.at).month,
        at=change.at,
        card=holder.card,
        counter=holder.counter,
        kind=read_line(cause.line).kind,
        of_terminal_id=sale.terminal_id,
        of_seq=sale.seq,
        tiers=tiers,
        amounts_minor=tuple(after.get(tier, 0) - before.get(tier, 0) for tier in tiers),
        purchases=tuple((after.get(tier, 0) > 0) - (before.get(tier, 0) > 0) for tier in tiers),
        measured=year.measured(change.at, before, after),
    )


def post(cursor: Cursor, entries: Sequence[Counted]) -> None:
    """Add entries, and add them to the totals."""
    if entries:
        _add_entries(cursor, entries)
        add_totals(cursor, entries)


def _add_entries(cursor: Cursor, entries: Sequence[Counted]) -> None:
    columns = ", ".join(ENTRY_COLUMNS)
    cursor.adapters.register_dumper(bytes, BytesBinaryDumper)  # before the slower one for DB-API's Binary
    with cursor.copy(f"COPY accruals_entry ({columns}) FROM STDIN (FORMAT binary)") as copy:
        copy.set_types(ENTRY_TYPES)
        for e in sorted(entries, key=lambda e: (e.resident_ref.int, e.tax_year, e.terminal_id, e.seq)):
            copy.write_row((*e[:ARRAYS_FROM], _tiers(e.tiers), bigint_array(e.amounts_minor), _purchases(e.purchases)))


@lru_cache(maxsize=256)
def _tiers(tiers: tuple[str, ...]) -> bytes:
    return text_array(tiers)


@lru_cache(maxsize=256)
def _purchases(purchases: tuple[int, ...]) -> bytes:
    return smallint_array(purchases)


def add_totals(cursor: Cursor, entries: Sequence[Counted]) -> None:
    """Add to the totals alone: for entries that are added, or taken away, otherwise."""
    added = tally(entries)
    if not added:
        return
    residents, tax_years, runs, tiers = zip(*[key for key, _ in added], strict=True)
    years = zip(*[_year_texts(months) for _, months in added], strict=True)
    values = numbers_array(tax_years), numbers_array(runs), quoted_array(tiers), *map(quoted_array, years)
    cursor.execute(ADD_TOTALS, (uuids_array(residents), *values))


def _year_texts(months: Mapping[int, Tally]) -> tuple[str, str, str]:
    """What is added to a total's twelve months, as arrays' texts: amounts, purchases, and bases, empty without any."""
    amounts, purchases, bases = list(ZEROS), list(ZEROS), None
    for month, (amount_minor, count, base_minor) in months.items():
        amounts[month - 1], purchases[month - 1] = str(amount_minor), str(count)
        if base_minor is not None:
            bases = bases or list(ZEROS)
            bases[month - 1] = str(base_minor)
    return _array(amounts), _array(purchases), _array(bases) if bases else ""


def _array(texts: Sequence[str]) -> str:
    return "{" + ",".join(texts) + "}"

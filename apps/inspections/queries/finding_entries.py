"""Entries of a tax year by any filters: the newest first, a page at a time, within a time that is set.

A page is asked for in one of two ways. If the planner has a plan that reads little (a resident's index, the index of
sums, a few tills' numbers), all that fits is read and sorted. Else entries are read back in time, one stretch after the
other, each as long as the last ones were quick, until the page is full or the time is up: then the page says how far
it looked, and the next one goes on from there.
"""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db import OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import Q

from apps.inspections.searching import WITHHELD, PurchaseSearch
from apps.merchants.models import Terminal
from apps.purchases.records import MAX_SEQ
from apps.schemes.queries import tax_year

FOUND_A_PAGE: Final = 25
DIRECT_COST: Final = 150_000  # of the planner's, with pages that lie about at little more than pages in a row
CHEAP_COST: Final = 3_000  # less than that is not tried in any other way
DIRECT_MS: Final = 140
BY_KEYS_MS: Final = 60
FEW_TILLS: Final = 20
BUDGET_MS: Final = 190  # from the beginning; a stretch that is begun then is the last
LAST_STRETCH_MS: Final = 30
STRETCH_MS: Final = 40
PATIENT_MS: Final = 10_000
FIRST_STRETCH_ROWS: Final = 20_000
COUNT_TO: Final = 10_000
COUNT_MS: Final = 50
COUNT_WITHIN_MS: Final = 110  # from the beginning
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
OF_ENTRIES: Final = """
SELECT e.at, e.terminal_id, e.seq, e.resident_ref, e.kind, e.run, e.card IS NULL AS is_cardless, e.of_terminal_id,
       e.of_seq, e.tiers, e.amounts_minor
FROM accruals_entry e WHERE e.tax_year = %(year)s"""
# A withheld sale has no entry: what it is about stands in the purchase as the till sent it.
OF_WITHHELD: Final = """
SELECT e.at, e.terminal_id, e.seq, e.resident_ref, e.status AS kind, 0::int2 AS run, e.card IS NULL AS is_cardless,
       NULL::int4 AS of_terminal_id, NULL::int4 AS of_seq, ARRAY['']::text[] AS tiers,
       ARRAY[p.amount_minor] AS amounts_minor
FROM accruals_withheld e JOIN purchases_purchase p ON p.lane = mod(e.terminal_id, 64)
    AND p.terminal_id = e.terminal_id AND p.seq = e.seq AND p.tax_year = e.tax_year
WHERE e.tax_year = %(year)s"""
COUNT: Final = "SELECT count(*) FROM ({select} LIMIT %(count_to)s) found"
# Times are in the key: what few tills sent is put in order without a look at the entries, and those are read from the
# newest until a page is full. The lateral join goes through the keys in their order.
KEYS: Final = """
SELECT e.terminal_id, e.seq, e.resident_ref, e.at FROM accruals_entry e
WHERE e.tax_year = %(year)s AND e.terminal_id = ANY(%(terminals)s::int4[])"""
BY_KEYS: Final = """
WITH k AS MATERIALIZED ({keys} {order})
SELECT e.* FROM k, LATERAL ({select} AND e.terminal_id = k.terminal_id AND e.seq = k.seq
    AND e.resident_ref = k.resident_ref AND e.at = k.at OFFSET 0) e LIMIT %(most)s
"""
ORDER: Final = "ORDER BY e.at DESC, e.terminal_id DESC, e.seq DESC, e.resident_ref DESC"
AFTER: Final = (
    "e.at <= %(after_at)s AND (e.at, e.terminal_id, e.seq, e.resident_ref)"
    " < (%(after_at)s, %(after_terminal)s, %(after_seq)s, %(after_ref)s)"
)
QUICK: Final = (
    "SET LOCAL statement_timeout = {ms}; SET LOCAL jit = off; SET LOCAL max_parallel_workers_per_gather = 0;"
    " SET LOCAL random_page_cost = 1.1"
)
KIND: Final = {
    "sale": "e.kind = 'sale'",
    "claimed": "e.kind = 'sale' AND e.card IS NULL",
    "return": "e.kind = 'return'",
    "void": "e.kind = 'void'",
    "correction": "e.kind = 'correction'",
    "ruling": "e.kind IN ('hold', 'reject', 'deny', 'release', 'confirm', 'withdraw', 'amend')",
    "held": "e.status = 'held'",
    "rejected": "e.status = 'rejected'",
}


class FoundEntry(NamedTuple):
    """What a record changed of a resident's account: amounts in minor units by tier. See accruals.models.Entry."""

    at: datetime
    terminal_id: int
    seq: int
    resident_ref: UUID
    kind: str
    run: int
    is_cardless: bool
    of_terminal_id: int | None
    of_seq: int | None
    tiers: list[str]
    amounts_minor: list[int]

    @property
    def sum_minor(self) -> int:
        """All tiers together."""
        return sum(self.amounts_minor)


class Place(NamedTuple):
    """Where a page ends, and the next begins: an entry's own place, or a time down to which nothing more is."""

    at: datetime
    terminal_id: int = 0
    seq: int = 0
    resident_ref: UUID = UUID(int=0)

    @property
    def goes_on(self) -> bool:
        """Whether time was up there: a plan that reads all would be too long again."""
        return self.resident_ref.int == 0


@dataclass(frozen=True, slots=True)
class FoundEntries:
    """A page. `next`: where it goes on, if it does; `looked_back_to`: time was up, and there may be more before it.

    `number` is how many there are in all, at most COUNT_TO + 1; None where counting would have taken too long.
    """

    rows: tuple[FoundEntry, ...]
    next: Place | None
    looked_back_to: datetime | None
    number: int | None


@dataclass(frozen=True, slots=True)
class Asked:
    """A search in SQL: a statement without an order, and what it is given; of few tills, the keys of all they sent."""

    select: str
    parameters: dict[str, Any]
    keys: str = ""

    def with_condition(self, condition: str, **parameters: Any) -> "Asked":
        """The same with one condition more, on what the key has."""
        keys = f"{self.keys} AND {condition}" if self.keys else ""
        return Asked(f"{self.select} AND {condition}", self.parameters | parameters, keys)

    def cost(self) -> int:
        """What the planner thinks that it takes to read and sort all that fits."""
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(QUICK.format(ms=DIRECT_MS))
            return int(_plan(cursor, f"{self.select} {ORDER}", self.parameters)["Total Cost"])

    def estimate(self) -> int:
        """How many rows the planner thinks there are."""
        with connection.cursor() as cursor:
            return int(_plan(cursor, self.select, self.parameters)["Plan Rows"])


def find_entries(search: PurchaseSearch, after: Place | None = None, *, most: int = FOUND_A_PAGE) -> FoundEntries:
    """A page of what a search finds, from where the last one ended. Raises YearNotStarted."""
    asked = asked_for(search)
    if asked is None:
        return FoundEntries((), None, None, 0)
    started_s = time.monotonic()
    found = None if after is not None and after.goes_on else _at_once(_from(asked, after), most)
    found = _by_stretches(asked, search, after, most, started_s) if found is None else found
    if after is not None:
        return found
    number: int | None = None
    if found.next is None:
        number = len(found.rows)
    elif found.looked_back_to is None and (time.monotonic() - started_s) * 1000 < COUNT_WITHIN_MS:
        number = capped_count(asked)
    return FoundEntries(found.rows, found.next, found.looked_back_to, number)


def asked_for(search: PurchaseSearch) -> Asked | None:
    """A search as a statement, or None when no till can be meant."""
    parameters: dict[str, Any] = {"year": search.year}
    parts = list(_conditions(search))
    if search.merchant or search.region or search.terminal:
        parameters["terminals"] = terminals_meant(search.merchant, search.region, search.terminal)
        if not parameters["terminals"]:
            return None
        parts.append("e.terminal_id = ANY(%(terminals)s::int4[])")
    names = ("since", "before", "least_minor", "most_minor", "tier", "first_seq", "last_seq", "resident", "run")
    parameters |= {name: getattr(search, name) for name in names}
    if search.kind in WITHHELD:
        return Asked(" AND ".join([OF_WITHHELD, *parts]), parameters)
    is_of_few = 0 < len(parameters.get("terminals", ())) <= FEW_TILLS
    keys = " AND ".join([KEYS, *(part for part in parts if part.startswith(("e.at ", "e.seq ")))]) if is_of_few else ""
    return Asked(" AND ".join([OF_ENTRIES, *parts]), parameters, keys)


def _conditions(search: PurchaseSearch) -> Iterator[str]:
    is_withheld = search.kind in WITHHELD
    total = "p.amount_minor" if is_withheld else "accruals_sum(e.amounts_minor)"
    tier = "p.line LIKE '%%\"' || %(tier)s || '\"%%'" if is_withheld else "%(tier)s = ANY(e.tiers)"
    for name, condition in (
        ("since", "e.at >= %(since)s"),
        ("before", "e.at < %(before)s"),
        ("least_minor", f"{total} >= %(least_minor)s"),
        ("most_minor", f"{total} <= %(most_minor)s"),
        ("tier", tier),
        ("first_seq", "e.seq >= %(first_seq)s"),
        ("last_seq", "e.seq <= %(last_seq)s"),
        ("resident", "e.resident_ref = %(resident)s"),
    ):
        if getattr(search, name) not in (None, ""):
            yield condition
    if search.run is not None:
        yield "false" if is_withheld else "e.run = %(run)s"
    if search.kind:
        yield KIND[search.kind]


def terminals_meant(merchant: str, region: str, code: str = "") -> list[int]:
    """The tills of a region, a code, and merchants with a registration number or a part of a name: one query."""
    found = Terminal.objects.all()
    if merchant:
        found = found.filter(Q(merchant__registration_number=merchant) | Q(merchant__name__icontains=merchant))
    if region:
        found = found.filter(region__startswith=region)
    if code:
        found = found.filter(code=code)
    return list(found.values_list("pk", flat=True))


def _from(asked: Asked, after: Place | None) -> Asked:
    if after is None:
        return asked
    return asked.with_condition(
        AFTER, after_at=after.at, after_terminal=after.terminal_id, after_seq=after.seq, after_ref=after.resident_ref
    )


def _at_once(asked: Asked, most: int) -> FoundEntries | None:
    """A page out of all that fits, if the planner thinks that little has to be read, or from few tills' newest."""
    cost = asked.cost()
    if asked.keys and cost > CHEAP_COST:
        statement = BY_KEYS.replace("{select}", asked.select).replace("{keys}", asked.keys).replace("{order}", ORDER)
        rows = _read(statement, asked.parameters | {"most": most + 1}, BY_KEYS_MS)
        if rows is not None:
            return _page(rows, most)
    if cost > DIRECT_COST:
        return None
    rows = _read(f"{asked.select} {ORDER} LIMIT %(most)s", asked.parameters | {"most": most + 1}, DIRECT_MS)
    return _page(rows, most) if rows is not None else None


def _plan(cursor: CursorWrapper, statement: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """What the planner would do, and what it thinks that it takes."""
    cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
    (found,) = cursor.fetchone()
    (whole,) = json.loads(found) if isinstance(found, str) else found
    plan: dict[str, Any] = whole["Plan"]
    return plan


def _page(rows: Sequence[FoundEntry], most: int, looked_back_to: datetime | None = None) -> FoundEntries:
    kept = tuple(rows[:most])
    if len(rows) > most:
        last = kept[-1]
        return FoundEntries(kept, Place(last.at, last.terminal_id, last.seq, last.resident_ref), None, None)
    return FoundEntries(kept, Place(looked_back_to) if looked_back_to else None, looked_back_to, None)


def _by_stretches(
    asked: Asked, search: PurchaseSearch, after: Place | None, most: int, started_s: float
) -> FoundEntries:
    """A page from stretches of time, the latest first. One that goes on gets on, however long its first takes."""
    goes_on = after is not None and after.goes_on
    first, start = _span(search, after)
    end = start
    stretch, rows = _first_stretch(search), list[FoundEntry]()
    while end > first:
        begin = max(end - stretch, first)
        left_ms = BUDGET_MS - (time.monotonic() - started_s) * 1000
        if left_ms <= 0:
            return _page(rows, most, looked_back_to=end)
        asked_s = time.monotonic()
        within = asked.with_condition("e.at >= %(begin)s AND e.at < %(end)s", begin=begin, end=end)
        timeout_ms = PATIENT_MS if goes_on and end == start else max(int(left_ms), LAST_STRETCH_MS)
        asked_now = _from(within, after)
        left = asked_now.parameters | {"most": most + 1 - len(rows)}
        some = _read(f"{asked_now.select} {ORDER} LIMIT %(most)s", left, timeout_ms)
        if some is None:
            return _page(rows, most, looked_back_to=end)
        rows += some
        if len(rows) > most:
            break
        took_ms = (time.monotonic() - asked_s) * 1000
        stretch *= min(max(STRETCH_MS / max(took_ms, 1), 0.25), 8)
        end = begin
    return _page(rows, most)


def _span(search: PurchaseSearch, after: Place | None) -> tuple[datetime, datetime]:
    """From when to when entries of the search can be."""
    year = tax_year(search.year)
    first, end = year.starts_at, year.ends_at
    first = max(first, search.since) if search.since else first
    end = min(end, search.before) if search.before else end
    return first, min(end, after.at + timedelta(microseconds=1)) if after else end


def _first_stretch(search: PurchaseSearch) -> timedelta:
    """About so long that some ten thousands of entries were made in it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT reltuples FROM pg_class WHERE oid = to_regclass(%s)", [f"accruals_entry_{search.year:d}"]
        )
        (rows,) = cursor.fetchone() or (0,)
    share = FIRST_STRETCH_ROWS / max(rows, FIRST_STRETCH_ROWS)
    return timedelta(days=366 * share)


def _read(statement: str, parameters: dict[str, Any], timeout_ms: int) -> list[FoundEntry] | None:
    """A statement's rows, or None if there was not time enough."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(QUICK.format(ms=timeout_ms))
            cursor.execute(statement, parameters)
            return [FoundEntry(*row) for row in cursor.fetchall()]
    except OperationalError:
        return None


def capped_count(asked: Asked, *, most: int = COUNT_TO + 1) -> int | None:
    """How many there are, up to `most`, or None when it cannot be said at once."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(QUICK.format(ms=COUNT_MS))
            cursor.execute(COUNT.replace("{select}", asked.select), asked.parameters | {"count_to": most})
            (number,) = cursor.fetchone()
            return int(number)
    except OperationalError:
        return None


def place_text(place: Place) -> str:
    """A place as an address has it."""
    ref = place.resident_ref.hex if place.resident_ref.int else "0"
    microseconds = (place.at - EPOCH) // timedelta(microseconds=1)
    return f"{microseconds}.{place.terminal_id}.{place.seq}.{ref}"


def place_of_text(text: str) -> Place | None:
    """What `place_text` made, or None for anything else."""
    try:
        at, terminal_id, seq, ref = text.split(".")
        place = Place(EPOCH + timedelta(microseconds=int(at)), int(terminal_id), int(seq), UUID(hex=ref.zfill(32)))
    except (ValueError, OverflowError):
        return None
    return place if 0 <= place.terminal_id <= MAX_SEQ >= place.seq >= 0 else None

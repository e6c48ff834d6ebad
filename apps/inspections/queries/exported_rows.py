"""All rows of a search in chunks, however many: the database keeps them, not this process."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection

from apps.inspections.columns import MERCHANTS, RESIDENTS, TERMINALS, Column, purchase_columns
from apps.inspections.queries.finding_entries import FoundEntry, asked_for, capped_count
from apps.inspections.queries.finding_others import FoundResident, find_merchants, find_terminals, residents_asked
from apps.inspections.searching import MerchantSearch, PurchaseSearch, ResidentSearch, Search, TerminalSearch
from apps.kernel.database import raw_connection
from apps.schemes.queries import tax_year

AT_ONCE: Final = 2_000
SMALL: Final = 3_000  # rows: as many are written while the browser waits
Cell: TypeAlias = str | int | None
# By resident, so that each is written down once, when the first row comes.
ENTRIES: Final = """
SELECT f.*, t.code, o.code, m.name, m.registration_number, s.name, t.region FROM ({select}) f
LEFT JOIN merchants_terminal t ON t.id = coalesce(nullif(f.terminal_id, 0), f.of_terminal_id)
LEFT JOIN merchants_terminal o ON o.id = f.of_terminal_id
LEFT JOIN merchants_store s ON s.id = t.store_id LEFT JOIN merchants_merchant m ON m.id = t.merchant_id
WHERE {protected}
ORDER BY f.resident_ref, f.at, f.terminal_id, f.seq
"""
UNPROTECTED: Final = "NOT EXISTS (SELECT FROM residents_resident p WHERE p.ref = f.resident_ref AND p.is_protected)"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows, and whose data they are, each resident once and in order."""

    rows: list[Sequence[Cell]]
    residents: list[UUID]


def columns_of(search: Search) -> tuple[Column, ...]:
    """The columns of an export of this search. Raises YearNotStarted."""
    if isinstance(search, PurchaseSearch):
        return purchase_columns(_tiers(search.year))
    return {TerminalSearch: TERMINALS, MerchantSearch: MERCHANTS, ResidentSearch: RESIDENTS}[type(search)]


def _tiers(year: int) -> list[str]:
    return [tier.code for tier in tax_year(year).scheme_version.scheme().tiers]


def is_small(search: Search) -> bool:
    """Whether its rows can be written at once."""
    if isinstance(search, PurchaseSearch):
        asked = asked_for(search)
        number = capped_count(asked, most=SMALL + 1) if asked else 0
        return number is not None and number <= SMALL
    return not isinstance(search, ResidentSearch) or search.reference is not None


def estimated_rows(search: Search) -> int:
    """How many rows the planner thinks there are, for a progress bar; 0 where it is not asked."""
    if not isinstance(search, PurchaseSearch):
        return 0
    asked = asked_for(search)
    return asked.estimate() if asked else 0


def chunks_of(search: Search, *, with_protected: bool) -> Iterator[Chunk]:
    """All rows of a search, in one snapshot for residents' data. Outside of transactions."""
    if isinstance(search, PurchaseSearch):
        yield from _entries(search, with_protected=with_protected)
    elif isinstance(search, ResidentSearch):
        statement, parameters = residents_asked(search, limited=False)
        yield from _chunks(statement, parameters, lambda row: _resident(FoundResident(*row)), 0)
    elif isinstance(search, TerminalSearch):
        yield from _terminals(search)
    elif isinstance(search, MerchantSearch):
        yield from _merchants(search)


def _entries(search: PurchaseSearch, *, with_protected: bool) -> Iterator[Chunk]:
    asked = asked_for(search)
    if asked is None:
        return
    tiers, zone = _tiers(search.year), ZoneInfo(settings.TIME_ZONE)
    statement = ENTRIES.replace("{select}", asked.select)
    statement = statement.replace("{protected}", "true" if with_protected else UNPROTECTED)
    place = FoundEntry._fields.index("resident_ref")
    yield from _chunks(statement, asked.parameters, lambda row: _entry(row, tiers, zone), place)


def _chunks(statement: str, parameters: dict[str, Any], cells: Any, resident_place: int) -> Iterator[Chunk]:
    """Rows ordered by resident, from a cursor that the server holds after its transaction."""
    connection.ensure_connection()
    last: UUID | None = None
    with closing(raw_connection().cursor(f"export_{uuid4().hex}", withhold=True)) as cursor:
        cursor.itersize = AT_ONCE
        cursor.execute(statement, parameters)
        while rows := cursor.fetchmany(AT_ONCE):
            refs = [row[resident_place] for row in rows]
            new = [ref for before, ref in zip([last, *refs], refs, strict=False) if ref != before]
            last = refs[-1]
            yield Chunk([cells(row) for row in rows], new)


def _entry(row: Sequence[Any], tiers: Sequence[str], zone: ZoneInfo) -> Sequence[Cell]:
    entry, (code, of_code, merchant, number, store, region) = FoundEntry(*row[:-6]), row[-6:]
    amounts = dict(zip(entry.tiers, entry.amounts_minor, strict=True))
    by_tier = [amounts.pop(tier, 0) for tier in tiers]
    return (
        str(entry.resident_ref), _time(entry.at, zone), code if entry.terminal_id else "", entry.seq, entry.kind,
        entry.run, _yes(not entry.is_cardless), of_code or "", entry.of_seq, merchant or "", number or "", store or "",
        region or "", entry.sum_minor, *by_tier, sum(amounts.values()),
    )  # fmt: skip


def _resident(found: FoundResident) -> Sequence[Cell]:
    return (
        str(found.resident_ref), found.tax_year, found.run, found.entitled_minor, _yes(found.at_cap),
        found.municipality,
    )  # fmt: skip


def _terminals(search: TerminalSearch) -> Iterator[Chunk]:
    after, zone = "", ZoneInfo(settings.TIME_ZONE)
    while True:
        found = find_terminals(search, after, most=AT_ONCE)
        yield Chunk(
            [
                (
                    t.code, t.region, t.merchant, t.store, _yes(t.is_sealed), _yes(t.is_replaced), t.highest,
                    _yes(bool(t.has_gaps)), _time(t.seen_at, zone),
                )
                for t in found.rows
            ],
            [],
        )  # fmt: skip
        if not found.next:
            return
        after = found.next


def _merchants(search: MerchantSearch) -> Iterator[Chunk]:
    after = ""
    while True:
        found = find_merchants(search, after, most=AT_ONCE)
        yield Chunk([(m.name, m.registration_number, m.trade, m.mode) for m in found.rows], [])
        if not found.next:
            return
        after = found.next


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"


def _time(at: datetime | None, zone: ZoneInfo) -> str:
    return at.astimezone(zone).isoformat() if at else ""

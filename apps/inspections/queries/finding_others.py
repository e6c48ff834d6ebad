"""Tills, merchants and residents by any filters: a page at a time, from where the last one ended."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, NamedTuple, TypeVar
from uuid import UUID

from django.db import connection
from django.db.models import Exists, OuterRef

from apps.inspections.queries.finding_entries import FOUND_A_PAGE
from apps.inspections.searching import MerchantSearch, ResidentSearch, TerminalSearch
from apps.merchants.models import Merchant, Mode, Terminal

Row = TypeVar("Row")
# When a till was seen last: the batch of the highest number that came from it.
TERMINALS: Final = """
SELECT t.id, t.code, t.region, m.id, m.name, s.name, t.public_key IS NOT NULL, t.replaced_by_id IS NOT NULL,
       st.highest, st.has_gaps, seen.received_at
FROM merchants_terminal t
JOIN merchants_merchant m ON m.id = t.merchant_id JOIN merchants_store s ON s.id = t.store_id
LEFT JOIN LATERAL (
    SELECT upper(received) - 1 AS highest,
           NOT isempty(received) AND received <> int8multirange(int8range(1, upper(received))) AS has_gaps
    FROM purchases_terminalstate WHERE lane = mod(t.id, 64) AND terminal_id = t.id
) st ON true
LEFT JOIN LATERAL (
    SELECT max(b.received_at) AS received_at FROM purchases_purchase p
    JOIN purchases_batch b ON b.lane = p.lane AND b.id = p.batch_id
    WHERE p.lane = mod(t.id, 64) AND p.terminal_id = t.id AND p.seq = st.highest
) seen ON true
WHERE {conditions} ORDER BY t.code LIMIT %(most)s
"""
OF_TERMINALS: Final = {
    "after": "t.code > %(after)s",
    "code": "starts_with(t.code, %(code)s)",
    "merchant": "(m.registration_number = %(merchant)s OR strpos(lower(m.name), lower(%(merchant)s)) > 0)",
    "region": "starts_with(t.region, %(region)s)",
    "sealed": "(t.public_key IS NOT NULL) = %(sealed)s",
    "gaps": "coalesce(st.has_gaps, false) = %(gaps)s",
    "seen_since": "seen.received_at >= %(seen_since)s",
    "seen_before": "seen.received_at < %(seen_before)s",
}
STATES: Final = {
    "in_use": "t.replaced_by_id IS NULL AND st.highest IS NOT NULL",
    "replaced": "t.replaced_by_id IS NOT NULL",
    "never_seen": "st.highest IS NULL",
}
RESIDENTS: Final = """
SELECT r.resident_ref, r.tax_year, r.run, r.entitled_minor, r.at_cap, p.municipality
FROM refunds_refund r JOIN residents_resident p ON p.ref = r.resident_ref
WHERE r.tax_year = %(year)s AND {conditions} AND NOT EXISTS (
    SELECT FROM refunds_refund later
    WHERE later.resident_ref = r.resident_ref AND later.tax_year = r.tax_year AND later.run > r.run)
ORDER BY r.resident_ref {limit}
"""
OF_RESIDENTS: Final = {
    "after": "r.resident_ref > %(after)s",
    "reference": "r.resident_ref = %(reference)s",
    "least_minor": "r.entitled_minor >= %(least_minor)s",
    "most_minor": "r.entitled_minor <= %(most_minor)s",
    "at_cap": "r.at_cap = %(at_cap)s",
    "municipality": "starts_with(p.municipality, %(municipality)s)",
}


class FoundTerminal(NamedTuple):
    """A till. `highest` is the highest number that came; `seen_at` when its batch came; both None if none came."""

    pk: int
    code: str
    region: str
    merchant_id: int
    merchant: str
    store: str
    is_sealed: bool
    is_replaced: bool
    highest: int | None
    has_gaps: bool | None
    seen_at: datetime | None

    @property
    def subject(self) -> str:
        """What the trail names it by."""
        return f"terminal:{self.pk}"


class FoundResident(NamedTuple):
    """A resident's refund for the whole year as the last run found it, in minor units."""

    resident_ref: UUID
    tax_year: int
    run: int
    entitled_minor: int
    at_cap: bool
    municipality: str

    @property
    def subject(self) -> str:
        """What the trail names them by."""
        return f"resident:{self.resident_ref}"


class FoundMerchant(NamedTuple):
    """A merchant."""

    pk: int
    name: str
    registration_number: str
    trade: str
    mode: str

    @property
    def subject(self) -> str:
        """What the trail names it by."""
        return f"merchant:{self.pk}"


@dataclass(frozen=True, slots=True)
class Found(Generic[Row]):
    """A page; `next` is where the next one begins, '' on the last."""

    rows: tuple[Row, ...]
    next: str


def find_terminals(search: TerminalSearch, after: str = "", *, most: int = FOUND_A_PAGE) -> Found[FoundTerminal]:
    """Tills by their codes: one query."""
    parts, parameters = _conditions(search, OF_TERMINALS, after)
    if search.state:
        parts.append(STATES[search.state])
    statement = TERMINALS.replace("{conditions}", " AND ".join(parts) or "true")
    rows = [FoundTerminal(*row) for row in _rows(statement, parameters | {"most": most + 1})]
    return Found(tuple(rows[:most]), rows[most - 1].code if len(rows) > most else "")


def find_merchants(search: MerchantSearch, after: str = "", *, most: int = FOUND_A_PAGE) -> Found[FoundMerchant]:
    """Merchants by their numbers, the newest first: one query."""
    found = Merchant.objects.order_by("-pk")
    if after.isdecimal():
        found = found.filter(pk__lt=min(int(after), 2**31 - 1))
    if search.name:
        found = found.filter(name__icontains=search.name)
    if search.registration_number:
        found = found.filter(registration_number=search.registration_number)
    if search.trade:
        found = found.filter(trade__startswith=search.trade)
    if search.state:
        tills = Exists(Terminal.objects.filter(merchant=OuterRef("pk"), replaced_by=None))
        state = {"in_use": tills, "without_tills": ~tills}
        found = found.filter(mode=Mode.TEST) if search.state == "test" else found.filter(state[search.state])
    rows = [FoundMerchant(*row) for row in found.values_list(*FoundMerchant._fields)[: most + 1]]
    return Found(tuple(rows[:most]), str(rows[most - 1].pk) if len(rows) > most else "")


def find_residents(search: ResidentSearch, after: str = "", *, most: int = FOUND_A_PAGE) -> Found[FoundResident]:
    """Residents by their references: one query."""
    statement, parameters = residents_asked(search, after, limited=True)
    rows = [FoundResident(*row) for row in _rows(statement, parameters | {"most": most + 1})]
    return Found(tuple(rows[:most]), rows[most - 1].resident_ref.hex if len(rows) > most else "")


def residents_asked(search: ResidentSearch, after: str = "", *, limited: bool) -> tuple[str, dict[str, Any]]:
    """A search of residents as a statement and what it is given."""
    parts, parameters = _conditions(search, OF_RESIDENTS, _reference(after))
    statement = RESIDENTS.replace("{conditions}", " AND ".join(parts) or "true")
    return statement.replace("{limit}", "LIMIT %(most)s" if limited else ""), parameters | {"year": search.year}


def _reference(text: str) -> UUID | str:
    try:
        return UUID(hex=text)
    except ValueError:
        return ""


def _conditions(search: object, known: dict[str, str], after: object) -> tuple[list[str], dict[str, Any]]:
    values = {name: after if name == "after" else getattr(search, name) for name in known}
    given = {name: value for name, value in values.items() if value not in (None, "")}
    return [known[name] for name in given], given


def _rows(statement: str, parameters: dict[str, Any]) -> Iterator[Sequence[Any]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        yield from cursor.fetchall()

"""Searching as an auditor: on record with the filters, and each resident who is shown sees it, before anything is."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from apps.audit.access import Access
from apps.audit.operations import record_accesses, record_event
from apps.inspections.queries.finding_entries import FoundEntry, Place, find_entries
from apps.inspections.queries.finding_others import Found, FoundResident, find_residents
from apps.inspections.searching import PurchaseSearch, ResidentSearch, Search, as_json
from apps.kernel.errors import KanpuError
from apps.merchants.models import Terminal
from apps.residents.queries.register import protected_among


class ResidentProtected(KanpuError):
    """Where and when a protected resident shopped is for named officers only."""

    code = "resident_protected"


@dataclass(frozen=True, slots=True)
class EntryRow:
    """An entry and the till that it came from; None for the refund office's own."""

    entry: FoundEntry
    terminal: Terminal | None


@dataclass(frozen=True, slots=True)
class EntriesPage:
    """A page of entries. `hidden`: how many of it are of protected residents, and not for this officer.

    `next`, `looked_back_to` and `number`: see `FoundEntries`.
    """

    rows: tuple[EntryRow, ...]
    hidden: int
    next: Place | None
    looked_back_to: datetime | None
    number: int | None


def search_entries(
    search: PurchaseSearch, after: Place | None, *, access: Access, opens_protected: bool, at: datetime
) -> EntriesPage:
    """A page of entries. Where and when protected residents shopped is for named officers only.

    Raises YearNotStarted, and ResidentProtected for the search of one's: that there is something would tell where.
    """
    record_search("purchases", search, access=access, at=at)
    check_protected(search, access=access, opens_protected=opens_protected, at=at)
    found = find_entries(search, after)
    protected = frozenset[UUID]() if opens_protected else protected_among({row.resident_ref for row in found.rows})
    shown = [row for row in found.rows if row.resident_ref not in protected]
    record_accesses(access, sorted({r.resident_ref for r in shown}), what=f"search purchases {search.year}", at=at)
    tills = Terminal.objects.select_related("merchant", "store").in_bulk({shop_of(row) for row in shown})
    rows = tuple(EntryRow(row, tills.get(shop_of(row))) for row in shown)
    return EntriesPage(rows, len(found.rows) - len(rows), found.next, found.looked_back_to, found.number)


def check_protected(search: Search, *, access: Access, opens_protected: bool, at: datetime) -> None:
    """Refuse to search a protected resident's purchases. Raises ResidentProtected, and the resident sees it."""
    resident = search.resident if isinstance(search, PurchaseSearch) else None
    if resident and not opens_protected and protected_among([resident]):
        record_accesses(access, [resident], what="refused: protected", at=at)
        raise ResidentProtected(f"{access.actor} does not open protected residents.")


def shop_of(entry: FoundEntry) -> int:
    """The till of an entry's record, or of the sale where the refund office ruled."""
    return entry.terminal_id or entry.of_terminal_id or 0


def search_residents(search: ResidentSearch, after: str, *, access: Access, at: datetime) -> Found[FoundResident]:
    """A page of residents by reference. Raises YearNotStarted."""
    record_search("residents", search, access=access, at=at)
    found = find_residents(search, after)
    record_accesses(access, [r.resident_ref for r in found.rows], what=f"search residents {search.year}", at=at)
    return found


def record_search(kind: str, search: Search, *, access: Access, at: datetime) -> None:
    """Put a search of residents' data into the trail."""
    record_event(
        at=at, actor=access.actor, action="search.run", subject=f"search:{kind}", purpose=access.purpose,
        detail={"filters": as_json(search), "case": access.case},
    )  # fmt: skip

"""Looking at one purchase or at a year's totals: each resident whose data it is sees that it was looked at."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from apps.audit.access import Access
from apps.audit.operations import record_accesses
from apps.inspections.queries.purchase_files import (
    OnAccount,
    PurchaseFile,
    TotalsPage,
    on_account,
    purchase_file,
    totals_page,
)
from apps.residents.queries.register import protected_among


@dataclass(frozen=True, slots=True)
class PurchasePage:
    """A record, and what of it is on accounts. `hidden`: of so many protected residents, not shown."""

    file: PurchaseFile
    account: OnAccount
    hidden: int


def look_at_purchase(
    terminal_id: int, seq: int, *, access: Access, opens_protected: bool, at: datetime
) -> PurchasePage:
    """A record as it was received. That a protected resident bought there is for named officers only.

    Raises RecordMissing.
    """
    file = purchase_file(terminal_id, seq)
    account = on_account(terminal_id, seq, file.related)
    hidden = set[UUID]() if opens_protected else protected_among(account.residents)
    shown = account.without(hidden)
    record_accesses(access, shown.residents, what=f"purchase {terminal_id}/{seq}", at=at)
    return PurchasePage(file, shown, len(hidden))


def look_at_totals(resident_ref: UUID, year: int, *, access: Access, at: datetime) -> TotalsPage:
    """A resident's totals of a year. Raises YearNotStarted."""
    record_accesses(access, [resident_ref], what=f"totals {year}", at=at)
    return totals_page(resident_ref, year)

"""One resident's refunds of a year, as an auditor finds them by reference."""

from dataclasses import dataclass
from uuid import UUID

from apps.refunds.models import Decision
from apps.refunds.queries.decisions import decisions_of_resident
from apps.refunds.queries.replays import Replay, replay
from apps.refunds.queries.settlements import Balance, balances_of
from apps.refunds.queries.statements import StatementMissing, explanation_of
from apps.refunds.words import Explanation
from apps.schemes.document import Scheme
from apps.schemes.queries import tax_year


@dataclass(frozen=True, slots=True)
class RefundRow:
    """A run's refund, what became of it, and how it came about; `replay` where it was asked for."""

    balance: Balance
    explanation: Explanation
    replay: Replay | None


@dataclass(frozen=True, slots=True)
class RefundsPage:
    """A resident's refunds of a year, the newest first, and decisions. `hides_places`: not where and when."""

    resident_ref: UUID
    year: int
    scheme: Scheme
    rows: tuple[RefundRow, ...]
    decisions: tuple[Decision, ...]
    hides_places: bool


def refunds_page(
    resident_ref: UUID, year: int, *, replay_run: int | None = None, hides_places: bool = False
) -> RefundsPage:
    """The resident's refunds of a year. Raises YearNotStarted, and StatementMissing when there is none."""
    scheme = tax_year(year).scheme_version.scheme()
    balances = balances_of(resident_ref, year)
    if not balances:
        raise StatementMissing(f"No run of {year} has a refund of the resident {resident_ref}.")
    again = replay(resident_ref, year, replay_run) if replay_run else None
    rows = tuple(
        RefundRow(balance, explanation_of(balance.refund), again if balance.refund.run == replay_run else None)
        for balance in balances
    )
    return RefundsPage(
        resident_ref, year, scheme, rows, tuple(decisions_of_resident(resident_ref, year=year)), hides_places
    )

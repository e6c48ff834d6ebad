"""The statement of a resident's refund in a run: how it came about, what became of it, and its proof."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.kernel.database import trip
from apps.portal.parts import Parts
from apps.portal.queries.parts import ask_parts, parts_of_year
from apps.refunds.models import EFFECTIVE, Refund, Run
from apps.refunds.queries.proofs import leaf_index
from apps.refunds.queries.settlements import Balance, balances_of
from apps.refunds.queries.statements import PROVED, StatementMissing, explanation_of, statement_of
from apps.refunds.words import Explanation
from apps.schemes.document import Scheme
from apps.schemes.queries import scheme_of


@dataclass(frozen=True, slots=True)
class StatementPage:
    """A refund with its run, its explanation, and its place in the year's log, counted from 1."""

    balance: Balance
    explanation: Explanation
    scheme: Scheme
    place: int
    parts: Parts | None


@dataclass(frozen=True, slots=True)
class StatementRow:
    """A refund that a run found, with its run and the scheme that its money is written in."""

    refund: Refund
    run: Run
    scheme: Scheme

    @property
    def has_statement(self) -> bool:
        """Whether there is a statement with its proof: from the run's verification on."""
        return self.run.state in PROVED

    @property
    def is_final(self) -> bool:
        """Whether two auditors signed the run."""
        return self.run.state in EFFECTIVE


def own_statements(ref: UUID) -> list[StatementRow]:
    """The resident's refunds of all years, the newest first: two queries."""
    refunds = list(Refund.objects.filter(resident_ref=ref).order_by("-tax_year", "-run"))
    years = {refund.tax_year for refund in refunds}
    found = Run.objects.filter(tax_year__in=years).defer("differences")
    runs = {(run.tax_year_id, run.number): run for run in found}
    return [
        StatementRow(refund, runs[refund.tax_year, refund.run], scheme_of(refund.scheme_version)) for refund in refunds
    ]


def statement_page(ref: UUID, year: int, number: int) -> StatementPage:
    """The resident's own statement of a run. Raises StatementMissing."""
    balance = next((found for found in balances_of(ref, year) if found.run.number == number), None)
    if balance is None or not balance.proved:
        raise StatementMissing(f"There is no verified statement of {year}, run {number}, for this resident yet.")
    refund = balance.refund
    place = leaf_index(balance.run, ref) + 1
    scheme = scheme_of(refund.scheme_version)
    parts = parts_of_year(ref, year, scheme, balance.run, trip(*ask_parts(ref, year)))
    return StatementPage(balance, explanation_of(refund), scheme, place, parts)


def own_statement(ref: UUID, year: int, number: int) -> Mapping[str, Any]:
    """The same as data, with its proof. Raises RunMissing and StatementMissing."""
    return statement_of(ref, year, number)

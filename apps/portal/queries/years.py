"""What the resident's page shows, read for the resident who signed in and nobody else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from apps.accruals.queries import ResidentYear, newest_year_of, number_held, year_of_resident
from apps.accruals.queries.shown import CountedPage, counted_page
from apps.portal.charts import Bar, Chart, month_chart, pattern_of
from apps.portal.parts import Parts
from apps.portal.queries.cards import is_suspended
from apps.portal.queries.parts import parts_of_year
from apps.refunds.models import Decision, Refund
from apps.refunds.queries.decisions import decisions_of_resident
from apps.refunds.queries.settlements import Balance, balances_of
from apps.refunds.queries.statements import assessment_so_far, explanation_of
from apps.refunds.words import Explanation, Numbers, explain
from apps.schemes.document import Scheme, Words, year_cap_minor
from apps.schemes.models import TaxYear
from apps.schemes.queries import scheme_of, started_years, tax_year

NOTHING: Final = (0,) * 12  # the months of a tier of which nothing was bought


@dataclass(frozen=True, slots=True)
class Calculation:
    """How a year's refund came about: its explanation, the yearly cap in minor units if there is one, the amount."""

    explanation: Explanation
    cap_minor: int | None
    at_cap: bool
    refund_minor: int

    @property
    def left_minor(self) -> int:
        """What the cap still leaves, in minor units."""
        return (self.cap_minor or 0) - self.refund_minor

    @property
    def used_permille(self) -> int:
        """How much of the cap is used, of 1,000."""
        return self.refund_minor * 1000 // self.cap_minor if self.cap_minor else 0


@dataclass(frozen=True, slots=True)
class Found:
    """What the newest run found, beside its state and cut-off.

    `due_minor` is what it adds to earlier runs, `late_minor` the spend that was counted after it.
    """

    state: str
    cutoff_at: datetime
    earlier_minor: int
    due_minor: int
    late_minor: int

    @property
    def less_minor(self) -> int:
        """What it takes off earlier runs."""
        return -self.due_minor


@dataclass(frozen=True, slots=True)
class TierSpend:
    """A tier's column: its name, how the chart fills it, its spend in the year."""

    name: Words
    pattern: int
    total_minor: int


@dataclass(frozen=True, slots=True)
class MonthRow:
    """A month's spend, an amount per tier, and its bar in the chart."""

    month: date
    amounts_minor: tuple[int, ...]
    total_minor: int
    bar: Bar


@dataclass(frozen=True, slots=True)
class SpendTable:
    """A year's spend by month and tier, as a table and as a chart of it."""

    tiers: tuple[TierSpend, ...]
    months: tuple[MonthRow, ...]
    total_minor: int
    chart: Chart


@dataclass(frozen=True, slots=True)
class YearPage:
    """A resident's year. `run` is None as long as no run has found a refund.

    `unread` counts decisions of the year that the resident has not opened yet, of all `decisions`. `erased_at`: when
    shops and times were erased, if they were.
    """

    year: int
    years: tuple[int, ...]
    scheme: Scheme
    calculation: Calculation
    run: Found | None
    balances: tuple[Balance, ...]
    decisions: int
    unread: int
    parts: Parts | None
    is_suspended: bool
    held: int
    spend: SpendTable
    counted: CountedPage
    erased_at: datetime | None


def newest_year(ref: UUID) -> int | None:
    """The last year with something counted for the resident, else the last started."""
    years = [row.year for row in started_years()]
    return newest_year_of(ref) or (years[-1] if years else None)


def year_page(ref: UUID, year: int, *, page: str | None) -> YearPage:
    """The resident's own year, with one page of purchases. Raises YearNotStarted."""
    row = tax_year(year)
    scheme = row.scheme_version.scheme()
    balances = balances_of(ref, year)
    refund = balances[0].refund if balances else None
    decisions = decisions_of_resident(ref, year=year)
    bought = year_of_resident(ref, year)
    spend = spend_table(bought.spend, scheme, year)
    return YearPage(
        year=year,
        years=tuple(started.year for started in started_years()),
        scheme=scheme,
        calculation=_stored(refund) if refund else _live(bought, scheme, row),
        run=_found(balances[0], spend.total_minor) if balances else None,
        balances=tuple(balances),
        decisions=len(decisions),
        unread=sum(decision.state == Decision.State.ISSUED for decision in decisions),
        parts=parts_of_year(ref, year, scheme, balances[0].run if balances else None),
        is_suspended=is_suspended(ref),
        held=number_held(ref, unanswered=True),
        spend=spend,
        counted=counted_page(ref, row, page=page),
        erased_at=row.erased_at,
    )


def spend_table(spend: Mapping[str, Sequence[int]], scheme: Scheme, year: int) -> SpendTable:
    """Twelve months by the scheme's tiers, in its order, from each tier's twelve months in minor units."""
    cells = list(zip(*(spend.get(tier.code, NOTHING) for tier in scheme.tiers), strict=True))
    sums = [sum(column) for column in zip(*cells, strict=True)]
    tiers = [TierSpend(tier.name, pattern_of(i), sums[i]) for i, tier in enumerate(scheme.tiers)]
    chart = month_chart(cells)
    months = [
        MonthRow(date(year, bar.month, 1), amounts, bar.total_minor, bar)
        for amounts, bar in zip(cells, chart.bars, strict=True)
    ]
    return SpendTable(tuple(tiers), tuple(months), sum(sums), chart)


def _stored(refund: Refund) -> Calculation:
    """From the numbers that the run kept, under the scheme version it names."""
    cap_minor = year_cap_minor(scheme_of(refund.scheme_version))
    return Calculation(explanation_of(refund), cap_minor, refund.at_cap, refund.entitled_minor)


def _live(bought: ResidentYear, scheme: Scheme, row: TaxYear) -> Calculation:
    """From an assessment made for this page."""
    rules, found = assessment_so_far(bought, row)
    numbers = Numbers(found.spend_minor, found.bases_minor, found.cuts, found.refund_minor)
    return Calculation(explain(scheme, rules, numbers), year_cap_minor(scheme), found.at_cap, found.refund_minor)


def _found(balance: Balance, spent_minor: int) -> Found:
    refund, run = balance.refund, balance.run
    late_minor = spent_minor - sum(refund.spend_minor)
    return Found(run.state, run.cutoff_at, refund.earlier_minor, refund.due_minor, late_minor)

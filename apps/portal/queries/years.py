"""What the resident's page shows, read for the resident who signed in and nobody else."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, date, datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.utils import timezone

from apps.accruals.queries import ResidentYear, ask_unanswered, ask_years_of_resident, newest_year_of, years_in
from apps.accruals.queries.shown import LatestRow, ask_newest, latest_purchases
from apps.kernel.database import Ask, trip
from apps.payouts.queries.shown import PaymentShown, payments_of
from apps.portal.charts import Bar, Chart, month_chart, pattern_of
from apps.portal.deadlines import Deadline, DeadlineKind, next_deadline
from apps.portal.parts import Parts
from apps.portal.projection import projected_refund
from apps.portal.queries.cards import ask_suspended
from apps.portal.queries.parts import ask_parts, parts_of_year
from apps.refunds.models import Decision, Refund
from apps.refunds.queries.decisions import ask_decisions, decisions_in, stage_of
from apps.refunds.queries.people import person_of
from apps.refunds.queries.settlements import Balance, balances_with
from apps.refunds.queries.statements import ask_refunds, assessment_so_far, explanation_of, refunds_in, with_runs
from apps.refunds.words import Explanation, Numbers, explain
from apps.schemes.document import Scheme, Words, year_cap_minor
from apps.schemes.queries import YEARS, OpenYear, YearNotStarted, open_years, scheme_of, started_years

NOTHING: Final = (0,) * 12  # the months of a tier of which nothing was bought
LATEST: Final = 5  # purchases


@dataclass(frozen=True, slots=True)
class Calculation:
    """How a year's refund came about: its explanation, the yearly cap in minor units if there is one, the amount.

    `projected_minor` is about what it will be at the year's end, if that is more: see `projection`.
    """

    explanation: Explanation
    cap_minor: int | None
    at_cap: bool
    refund_minor: int
    projected_minor: int | None = None

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
    """A year's spend by month and tier, as a table and as a chart of it; last year's is None where there was none."""

    tiers: tuple[TierSpend, ...]
    months: tuple[MonthRow, ...]
    total_minor: int
    last_minor: int | None
    chart: Chart


@dataclass(frozen=True, slots=True)
class Settlement:
    """A run's refund, and its payment once that is handed over."""

    balance: Balance
    paid: PaymentShown | None


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
    settlements: tuple[Settlement, ...]
    decisions: int
    unread: int
    parts: Parts | None
    is_suspended: bool
    held: int
    spend: SpendTable
    latest: tuple[LatestRow, ...]
    deadline: Deadline | None
    erased_at: datetime | None


def newest_year(ref: UUID) -> int | None:
    """The last year with something counted for the resident, else the last started."""
    years = [row.year for row in started_years()]
    return newest_year_of(ref) or (years[-1] if years else None)


def year_page(ref: UUID, year: int) -> YearPage:
    """The resident's own year. Raises YearNotStarted."""
    if not MINYEAR < year < MAXYEAR:
        raise YearNotStarted(f"There is no tax year {year}.")
    both_years = (year - 1, year)
    years, refunds, decided, totals, ((held,),), ((suspended,),), newest, *lived = trip(
        Ask(YEARS), ask_refunds(ref, year), ask_decisions(ref, year), ask_years_of_resident(ref, both_years),
        ask_unanswered(ref), ask_suspended(ref, at=timezone.now()), ask_newest(ref, year), *ask_parts(ref, year),
    )  # fmt: skip
    started = {row.year: row for row in open_years(years)}
    if year not in started:
        raise YearNotStarted(f"The tax year {year} was not started.")
    row, today = started[year], timezone.localdate()
    scheme = scheme_of(row.scheme_version_id)
    balances = balances_with(with_runs(refunds_in(refunds), year))
    refund = balances[0].refund if balances else None
    decisions = decisions_in(decided)
    bought = years_in(totals, ref, both_years)
    spend = spend_table(bought[year].spend, scheme, year, last=bought[year - 1].spend)
    return YearPage(
        year=year,
        years=tuple(started),
        scheme=scheme,
        calculation=_stored(refund) if refund else _live(bought, scheme, row, today),
        run=_found(balances[0], spend.total_minor) if balances else None,
        settlements=tuple(_settlements(ref, year, balances)),
        decisions=len(decisions),
        unread=sum(decision.state == Decision.State.ISSUED for decision in decisions),
        parts=parts_of_year(ref, year, scheme, balances[0].run if balances else None, lived),
        is_suspended=suspended > 0,
        held=held,
        spend=spend,
        latest=() if row.erased_at else tuple(latest_purchases(ref, year, newest, most=LATEST)),
        deadline=next_deadline(_deadlines(row, scheme, balances, decisions, today), today),
        erased_at=row.erased_at,
    )


def spend_table(
    spend: Mapping[str, Sequence[int]], scheme: Scheme, year: int, *, last: Mapping[str, Sequence[int]]
) -> SpendTable:
    """Twelve months by the scheme's tiers, in its order, from each tier's twelve months in minor units.

    `last` is the year before, of which only the months' totals are shown, if there are any.
    """
    cells = list(zip(*(spend.get(tier.code, NOTHING) for tier in scheme.tiers), strict=True))
    sums = [sum(column) for column in zip(*cells, strict=True)]
    tiers = [TierSpend(tier.name, pattern_of(i), sums[i]) for i, tier in enumerate(scheme.tiers)]
    before = [sum(column) for column in zip(*last.values(), strict=True)]
    has_last = any(before)
    chart = month_chart(cells, before if has_last else None)
    months = [
        MonthRow(date(year, bar.month, 1), amounts, bar.total_minor, bar)
        for amounts, bar in zip(cells, chart.bars, strict=True)
    ]
    return SpendTable(tuple(tiers), tuple(months), sum(sums), sum(before) if has_last else None, chart)


def _stored(refund: Refund) -> Calculation:
    """From the numbers that the run kept, under the scheme version it names."""
    cap_minor = year_cap_minor(scheme_of(refund.scheme_version))
    return Calculation(explanation_of(refund), cap_minor, refund.at_cap, refund.entitled_minor)


def _live(bought: Mapping[int, ResidentYear], scheme: Scheme, row: OpenYear, today: date) -> Calculation:
    """From an assessment made for this page."""
    rules, found = assessment_so_far(bought[row.year], row)
    numbers = Numbers(found.spend_minor, found.bases_minor, found.cuts, found.refund_minor)
    now, last = person_of(bought[row.year]), person_of(bought[row.year - 1])
    projected_minor = projected_refund(now, last, rules, today=today)
    is_more = projected_minor is not None and projected_minor > found.refund_minor
    return Calculation(
        explain(scheme, rules, numbers), year_cap_minor(scheme), found.at_cap, found.refund_minor,
        projected_minor if is_more else None,
    )  # fmt: skip


def _settlements(ref: UUID, year: int, balances: Sequence[Balance]) -> Iterator[Settlement]:
    paid = {one.obligation.run: one for one in payments_of(ref, year=year)} if balances else {}
    for balance in balances:
        yield Settlement(balance, paid.get(balance.run.number))


def _deadlines(
    row: OpenYear, scheme: Scheme, balances: Sequence[Balance], decisions: Sequence[Decision], today: date
) -> Iterator[Deadline]:
    last_moment = row.deadline_at - timedelta(microseconds=1)
    yield Deadline(DeadlineKind.FILING, last_moment.astimezone(ZoneInfo(scheme.time_zone)).date())
    for decision in decisions:
        if decision.appeal_until and stage_of(decision, today=today) == Decision.State.NOTIFIED:
            yield Deadline(DeadlineKind.APPEAL, decision.appeal_until, decision_id=decision.pk)
    for balance in balances:
        if balance.claim_until and balance.left_minor > 0:
            yield Deadline(DeadlineKind.LAPSE, balance.claim_until, amount_minor=balance.left_minor)


def _found(balance: Balance, spent_minor: int) -> Found:
    refund, run = balance.refund, balance.run
    late_minor = spent_minor - sum(refund.spend_minor)
    return Found(run.state, run.cutoff_at, refund.earlier_minor, refund.due_minor, late_minor)

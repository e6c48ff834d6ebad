"""What auditors see of a run: sums and references, never who a resident is."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from apps.accruals.models import ArchivePart
from apps.accruals.queries import MonthSpend, archive_parts, spend_of_all
from apps.console.next_step import NEXT, OF_ANY_RUN
from apps.console.problems import problem
from apps.console.queries.payouts import Row, lines_of
from apps.console.queries.spread import Spread, spread_of, statistics_for
from apps.inspections.models import Pack
from apps.inspections.queries.packs import newest_pack
from apps.refunds.models import Run, RunState
from apps.refunds.proofs import evidence_sha256
from apps.refunds.queries.runs import (
    Progress,
    evidence_of,
    last_error,
    newest_number,
    run_of,
    step_at_work,
)
from apps.refunds.queries.settlements import Unsettled, unsettled
from apps.refunds.statistics import Statistics
from apps.schemes.document import Scheme, Words, year_cap_minor
from apps.schemes.models import SchemeVersion
from apps.schemes.rates import dated


@dataclass(frozen=True, slots=True)
class Reached:
    """A state of the run: whether it was reached, and when and by whom where that is kept."""

    state: str
    reached: bool
    at: datetime | None
    by: tuple[str, ...]
    current: bool


@dataclass(frozen=True, slots=True)
class RatedTier:
    """A tier, or the rate collected (which has no tier), with its rates and the day each starts."""

    code: str
    name: Words | None
    examples: Words | None
    reference: str
    rates: tuple[tuple[date, Decimal], ...]


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """A Parquet file of the archive as the manifest lists it."""

    path: str
    entries: int
    amount_minor: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class MonthRow:
    """A month: spend by tier from the totals, and what the archive's files hold of it."""

    month: date
    amounts_minor: tuple[int, ...]
    total_minor: int
    archived_minor: int
    entries: int
    files: tuple[ArchiveFile, ...]

    @property
    def agrees(self) -> bool:
        """Whether totals and archive have the same sum."""
        return self.total_minor == self.archived_minor


@dataclass(frozen=True, slots=True)
class Payments:
    """What became of what a run gives, in minor units. `taken_minor` it takes from others: it is netted later."""

    to_pay: int
    to_pay_minor: int
    paid_minor: int
    netted_minor: int
    lapsed_minor: int
    taken: int
    taken_minor: int

    @property
    def left_minor(self) -> int:
        """What is not settled yet."""
        return self.to_pay_minor - self.paid_minor - self.netted_minor - self.lapsed_minor

    @property
    def parts(self) -> tuple[tuple[str, int, int], ...]:
        """What became of it, with a bar's length of 1,000 each."""
        parts = {"paid": self.paid_minor, "netted": self.netted_minor, "lapsed": self.lapsed_minor,
                 "left": self.left_minor}  # fmt: skip
        return tuple((name, amount, amount * 1000 // max(self.to_pay_minor, 1)) for name, amount in parts.items())


@dataclass(frozen=True, slots=True)
class RunPage:
    """A year-end run. `agreement` is none (not verified yet), agree or differ; `at_work` the step that runs now.

    `next_steps` are those that can be taken now: beside a newer run, only what was approved goes on. `evidence_files`
    counts the files that were read a second time, `evidence_sha256` is one for all.
    """

    run: Run
    steps: tuple[Reached, ...]
    next_steps: tuple[str, ...]
    evidence_files: int
    evidence_sha256: str
    agreement: str
    at_work: Progress | None
    last_error: str
    unsettled: Unsettled | None
    version: SchemeVersion
    scheme: Scheme
    cap_minor: int | None
    collected: RatedTier
    tiers: tuple[RatedTier, ...]
    months: tuple[MonthRow, ...]
    sums: MonthRow
    spread: Spread | None
    payments: Payments | None
    payouts: tuple[Row, ...]
    pack: Pack | None


def run_page(year: int, number: int) -> RunPage:
    """Everything about a run. Raises RunMissing."""
    at_work = step_at_work(year)  # before the run: a step that has ended has changed the run already
    run = run_of(year, number)
    version = run.tax_year.scheme_version
    scheme = version.scheme()
    found = statistics_for(run)
    spend = [MonthSpend(*cell) for cell in found.spend] if found else spend_of_all(year, up_to_run=number)
    months = _months(spend, archive_parts(year, up_to_run=number), scheme, year)
    newest, evidence = newest_number(year), evidence_of(run)
    return RunPage(
        run=run,
        steps=_steps(run),
        next_steps=_next_steps(run, newest) if at_work is None else (),
        evidence_files=len(evidence),
        evidence_sha256=evidence_sha256(evidence),
        agreement=agreement_of(run),
        at_work=at_work,
        last_error=problem(*last_error(year)),
        unsettled=_unsettled(run) if run.signed_2_by else None,
        version=version,
        scheme=scheme,
        cap_minor=year_cap_minor(scheme),
        collected=RatedTier("", None, None, "", _rates(scheme.collected)),
        tiers=tuple(RatedTier(t.code, t.name, t.examples, t.reference, _rates(t.rates)) for t in scheme.tiers),
        months=months,
        sums=_sums(months),
        spread=spread_of(run, found, scheme),
        payments=_payments(run, found) if run.signed_2_by and found else None,
        payouts=lines_of(run) if run.state in (RunState.PAYING, RunState.CLOSED) else (),
        pack=newest_pack(f"run:{year}/{number}"),
    )


def _unsettled(run: Run) -> Unsettled:
    """What is not settled: of a closed run nothing is left, so nothing is looked through."""
    return Unsettled(0, 0) if run.state == RunState.CLOSED else unsettled(run)


def _payments(run: Run, found: Statistics) -> Payments:
    return Payments(
        found.to_pay, found.to_pay_minor, run.paid_minor, run.netted_minor, run.lapsed_minor, found.taken,
        found.taken_minor,
    )  # fmt: skip


def _next_steps(run: Run, newest: int) -> tuple[str, ...]:
    return tuple(step for step in NEXT.get(run.state, ()) if run.number == newest or step in OF_ANY_RUN)


def agreement_of(run: Run) -> str:
    """Whether the two assessments agree: none (not verified since it was assessed), agree or differ."""
    if run.verified_at is None or run.assessed_at is None or run.verified_at < run.assessed_at:
        return "none"
    return "differ" if run.differing else "agree"


def _steps(run: Run) -> tuple[Reached, ...]:
    states: list[RunState] = [state for state in RunState if state != RunState.WITHDRAWN]
    current = states.index(RunState(run.state)) if run.state != RunState.WITHDRAWN else -1
    kept: dict[RunState, tuple[datetime | None, tuple[str, ...]]] = {
        RunState.FROZEN: (run.cutoff_at, (run.frozen_by,)),
        RunState.ASSESSED: (run.assessed_at, (run.assessed_by,)),
        RunState.VERIFIED: (run.verified_at, ()),
        RunState.APPROVED: (run.signed_2_at, (run.signed_1_by, run.signed_2_by)),
        RunState.CLOSED: (run.closed_at, ()),
    }
    found = []
    for place, state in enumerate(states):
        at, by = kept.get(state, (None, ())) if place <= current else (None, ())
        found.append(Reached(state, place <= current, at, tuple(filter(None, by)), place == current))
    return tuple(found)


def _rates(rates: Sequence[Any]) -> tuple[tuple[date, Decimal], ...]:
    return tuple((period.start, rate) for period, rate in dated(rates))


def _months(
    spend: Iterable[MonthSpend], parts: Iterable[ArchivePart], scheme: Scheme, year: int
) -> tuple[MonthRow, ...]:
    spent = {(row.month, row.tier): row.amount_minor for row in spend}
    files = defaultdict(list)
    for part in parts:
        for file in part.files:
            files[file["month"]].append(_file(file))
    rows = []
    for month in range(1, 13):
        amounts = tuple(spent.get((month, tier.code), 0) for tier in scheme.tiers)
        rows.append(_month(date(year, month, 1), amounts, files[month]))
    return tuple(rows)


def _month(month: date, amounts: tuple[int, ...], files: list[ArchiveFile]) -> MonthRow:
    archived = sum(file.amount_minor for file in files)
    return MonthRow(month, amounts, sum(amounts), archived, sum(file.entries for file in files), tuple(files))


def _file(listed: dict[str, Any]) -> ArchiveFile:
    return ArchiveFile(listed["path"], listed["entries"], listed["amount_minor"], listed["bytes"], listed["sha256"])


def _sums(months: Sequence[MonthRow]) -> MonthRow:
    amounts = tuple(sum(column) for column in zip(*(row.amounts_minor for row in months), strict=True))
    return _month(months[0].month, amounts, [file for row in months for file in row.files])

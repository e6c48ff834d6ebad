"""What auditors see of a run: sums and references, never who a resident is."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from apps.accruals.models import ArchivePart
from apps.accruals.queries import MonthSpend, archive_parts, spend_of_all
from apps.console.next_step import NEXT, OF_ANY_RUN
from apps.console.problems import problem
from apps.refunds.models import Run, RunState
from apps.refunds.proofs import evidence_sha256
from apps.refunds.queries.runs import (
    Progress,
    evidence_of,
    last_error,
    newest_number,
    refunds_by_step,
    run_of,
    step_at_work,
)
from apps.refunds.queries.settlements import Unsettled, unsettled
from apps.schemes.document import Scheme, Words, year_cap_minor
from apps.schemes.models import SchemeVersion
from apps.schemes.rates import dated

STEPS: Final = 10  # of the cap, in the distribution of refunds


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
class Bucket:
    """Residents with a refund from `from_minor` to `to_minor`, both included; a bar's `length` of 1,000."""

    from_minor: int
    to_minor: int
    residents: int
    length: int


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
    distribution: tuple[Bucket, ...]


def run_page(year: int, number: int) -> RunPage:
    """Everything about a run. Raises RunMissing."""
    at_work = step_at_work(year)  # before the run: a step that has ended has changed the run already
    run = run_of(year, number)
    version = run.tax_year.scheme_version
    scheme = version.scheme()
    months = _months(spend_of_all(year, up_to_run=number), archive_parts(year, up_to_run=number), scheme, year)
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
        unsettled=unsettled(run) if run.signed_2_by else None,
        version=version,
        scheme=scheme,
        cap_minor=year_cap_minor(scheme),
        collected=RatedTier("", None, None, "", _rates(scheme.collected)),
        tiers=tuple(RatedTier(t.code, t.name, t.examples, t.reference, _rates(t.rates)) for t in scheme.tiers),
        months=months,
        sums=_sums(months),
        distribution=_distribution(run, scheme),
    )


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


def _distribution(run: Run, scheme: Scheme) -> tuple[Bucket, ...]:
    """Refunds of 0, of each tenth of the cap, and of the cap; nothing without a cap or refunds."""
    cap_minor = year_cap_minor(scheme)
    if not cap_minor or not run.residents:
        return ()
    if not (found := refunds_by_step(run, cap_minor)):
        return ()
    edges = [max(1, -(-cap_minor * step // STEPS)) for step in range(STEPS + 1)]
    spans = [(0, 0), *((edges[i], edges[i + 1] - 1) for i in range(STEPS)), (cap_minor, cap_minor)]
    most = max(found.values())
    return tuple(
        Bucket(first, last, found.get(step, 0), found.get(step, 0) * 1000 // most)
        for step, (first, last) in enumerate(spans, start=-1)
    )

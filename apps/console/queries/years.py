"""The started years, their runs and what is at work on them."""

from collections import defaultdict
from dataclasses import dataclass

from django.utils import timezone

from apps.console.problems import problem
from apps.console.queries.runs import agreement_of
from apps.refunds.models import UNFINISHED, Run, RunState, Step
from apps.refunds.queries.runs import all_runs, newest_steps
from apps.schemes.document import Scheme
from apps.schemes.queries import OpenYear, scheme_of, started_years


@dataclass(frozen=True, slots=True)
class YearRow:
    """A started year with its runs, the newest first, with its agreement (see `agreement_of`), and its last step."""

    year: OpenYear
    scheme: Scheme
    runs: tuple[tuple[Run, str], ...]
    step: Step | None

    @property
    def at_work(self) -> Step | None:
        """The step that was asked for and is not done."""
        return self.step if self.step and self.step.finished_at is None else None

    @property
    def last_error(self) -> str:
        """Why the last step stopped, or nothing."""
        return problem(self.step.error_code, self.step.error) if self.step and self.step.finished_at else ""

    @property
    def open(self) -> bool:
        """Whether purchases of the year are still taken."""
        return timezone.now() < self.year.deadline_at

    @property
    def newest(self) -> Run | None:
        """The newest run that was not withdrawn."""
        return next((run for run, _ in self.runs if run.state != RunState.WITHDRAWN), None)

    @property
    def can_freeze(self) -> bool:
        """Whether the next run can be frozen: no run is unfinished and nothing is at work."""
        return self.at_work is None and (self.newest is None or self.newest.state not in UNFINISHED)


def years() -> list[YearRow]:
    """All started years, the newest first: three queries."""
    steps = newest_steps()  # before the runs: a step that has ended has changed its run already
    runs = defaultdict(list)
    for run in all_runs():
        runs[run.tax_year_id].append((run, agreement_of(run)))
    return [
        YearRow(year, scheme_of(year.scheme_version_id), tuple(runs[year.year]), steps.get(year.year))
        for year in reversed(started_years())
    ]


def year_row(year: int) -> YearRow | None:
    """One started year, or None."""
    return next((row for row in years() if row.year.year == year), None)

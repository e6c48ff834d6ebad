"""Half-open periods of days: the first day belongs to them, the end day does not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Period:
    """The days from `start` up to, but without, `end`. An `end` of None is open."""

    start: date
    end: date | None = None

    def __post_init__(self) -> None:
        if self.end is not None and self.end <= self.start:
            raise ValueError(f"A period must end after it starts: {self.start} to {self.end}.")

    def __contains__(self, day: date) -> bool:
        return self.start <= day and (self.end is None or day < self.end)

    def overlap(self, other: "Period") -> "Period | None":
        """The days that both periods have, or None."""
        start = max(self.start, other.start)
        ends = [end for end in (self.end, other.end) if end is not None]
        end = min(ends) if ends else None
        return None if end is not None and end <= start else Period(start, end)


def covers(periods: Iterable[Period], whole: Period) -> bool:
    """Whether periods that do not overlap leave no day of a period out."""
    inside = sorted((part for period in periods if (part := period.overlap(whole))), key=lambda part: part.start)
    reached: date | None = whole.start
    for part in inside:
        if part.start != reached:
            return False
        reached = part.end
    return bool(inside) and reached == whole.end


def consecutive(starts: Iterable[date]) -> list[Period]:
    """Periods that follow each other without a gap, the last one open, from their ascending first days.

    Raises ValueError when the days do not ascend.
    """
    days: Sequence[date] = list(starts)
    closed = [Period(start, end) for start, end in pairwise(days)]
    return closed + [Period(day) for day in days[-1:]]


def year_period(year: int) -> Period:
    """The calendar year."""
    return Period(date(year, 1, 1), date(year + 1, 1, 1))

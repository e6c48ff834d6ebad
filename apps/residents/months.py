"""Where a resident belonged in each month of a year. Pure."""

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple
from uuid import UUID

from apps.kernel.periods import Period, year_period


class Stretch(NamedTuple):
    """Months (1 to 12, both included) in one household; who is alone has the own reference as household."""

    household_ref: UUID
    first_month: int
    last_month: int


def stretches(
    resident_ref: UUID, residence: Iterable[Period], memberships: Iterable[tuple[Period, UUID]], year: int
) -> list[Stretch]:
    """A resident's stretches of a year in order: residence may start and end on any day, which counts for its month."""
    times = [inside for period in residence if (inside := period.overlap(year_period(year)))]
    months = {month for time in times for month in range(time.start.month, _last_month(time, year) + 1)}
    homes = dict.fromkeys(sorted(months), resident_ref)
    for period, household_ref in memberships:
        for month in homes:
            if date(year, month, 1) in period:
                homes[month] = household_ref
    found: list[Stretch] = []
    for month, home in homes.items():
        if found and found[-1].household_ref == home and found[-1].last_month == month - 1:
            found[-1] = found[-1]._replace(last_month=month)
        else:
            found.append(Stretch(home, month, month))
    return found


def _last_month(period: Period, year: int) -> int:
    """The month of the last day that belongs to a period."""
    if period.end is None or period.end.year > year:
        return 12
    return period.end.month if period.end.day > 1 else period.end.month - 1

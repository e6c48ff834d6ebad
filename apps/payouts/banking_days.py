"""Days on which Japan's banks transfer money, and until when a file must be with the bank for one of them. Pure.

Banks are closed on Saturdays, Sundays, public holidays with their substitutes, and from 31 December to 3 January
(銀行法施行令 5条). The days are those of the package `holidays`.
"""

from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final

import holidays

ONE_DAY: Final = timedelta(days=1)
SATURDAY: Final = 5


def is_banking_day(day: date) -> bool:
    """Whether banks transfer money on this day."""
    return day.weekday() < SATURDAY and day not in _closed(day.year)


def banking_days_after(day: date, count: int) -> date:
    """The banking day so many banking days after a day; with 0 the day itself or the next one."""
    while not is_banking_day(day):
        day += ONE_DAY
    for _ in range(count):
        day += ONE_DAY
        while not is_banking_day(day):
            day += ONE_DAY
    return day


def earliest_transfer(at: datetime, *, cutoff: time, lead_days: int) -> date:
    """The first day on which a file that the bank gets at this local time is paid.

    `lead_days` are the banking days between the day of the file and the transfer; after the cut-off, and on a day on
    which banks are closed, the file counts as the next banking day's.
    """
    day = at.date()
    if is_banking_day(day) and at.time() >= cutoff:
        day += ONE_DAY
    return banking_days_after(day, lead_days)


@lru_cache(maxsize=16)
def _closed(year: int) -> holidays.HolidayBase:
    return holidays.country_holidays("JP", categories=(holidays.PUBLIC, holidays.BANK), years=year, expand=False)

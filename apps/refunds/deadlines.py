"""Until when a decision can be appealed against and a refund claimed. Pure.

Periods of months and years run from the day after the event and end with the day of that number in the last month, or
its last day (国税通則法 10条1項; Civil Code article 143).
"""

from calendar import monthrange
from datetime import date, timedelta
from typing import Final

WARNED_MONTHS_AHEAD: Final = (12, 3, 1)
POST_TAKES: Final = timedelta(days=3)


def months_after(day: date, months: int) -> date:
    """The last day of a period of months that runs from the day after `day`."""
    whole = day.year * 12 + day.month - 1 + months
    year, month = divmod(whole, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def presumed_received(sent_date: date) -> date:
    """When a posted letter counts as received: as the post usually brings it (国税通則法 12条2項)."""
    return sent_date + POST_TAKES


def lapses_on(due_date: date, years: int) -> date:
    """The last day on which a refund that is due since `due_date` can be claimed."""
    return months_after(due_date, 12 * years)


def warnings_due(last_day: date, today: date) -> int | None:
    """Which warning fits today for a refund that can be claimed until `last_day`: the shortest that is reached.

    In months ahead; None when it is too early, or too late.
    """
    reached = [ahead for ahead in WARNED_MONTHS_AHEAD if months_after(last_day, -ahead) <= today <= last_day]
    return min(reached, default=None)

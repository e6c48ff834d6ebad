"""How long a resident has to reply before a purchase may be annulled. Pure.

At least two weeks: 行政手続法 15条1項, 30条 ask for a fitting time between the notice and the day, and set none.
"""

from datetime import date, datetime, time, timedelta, tzinfo
from typing import Final

REPLY_WITHIN: Final = timedelta(days=14)


def earliest_reply_date(told_date: date) -> date:
    """The earliest last day to reply, for who is told on a day."""
    return told_date + REPLY_WITHIN


def end_of(day: date, zone: tzinfo) -> datetime:
    """When a day ends in a time zone."""
    return datetime.combine(day + timedelta(days=1), time(), zone)

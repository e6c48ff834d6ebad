"""How long purchases are kept, with shops and times. Pure."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from apps.schemes.document import Scheme


def retention_date(scheme: Scheme, deadline_at: datetime) -> date:
    """The first day on which a year's purchases are to be erased: whole years from the end of the deadline's year on.

    `deadline_at` is when the last day on which purchases were taken had ended.
    """
    last_day = (deadline_at - timedelta(microseconds=1)).astimezone(ZoneInfo(scheme.time_zone)).date()
    return date(last_day.year + 1 + scheme.retention_years, 1, 1)

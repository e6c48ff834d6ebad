"""What a resident disputes about a purchase, how far that is, and when an answer is due. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

REPLY_WITHIN: Final = timedelta(days=30)  # promised on the resident's pages from the day on which a dispute came
OPEN_AT_MOST: Final = 20  # of one resident, so that nobody buries the office


@dataclass(frozen=True, slots=True)
class Missing:
    """A purchase that is not there, as the resident tells it: `amounts` are minor units by tier, `at` is aware."""

    shop: str
    at: datetime
    receipt_number: str
    amounts: Mapping[str, int]


def reply_due_date(opened_date: date) -> date:
    """The day by which the office promises a decision on a dispute that came on a day."""
    return opened_date + REPLY_WITHIN

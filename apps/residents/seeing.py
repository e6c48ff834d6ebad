"""Since when somebody belongs to a household without a break: as long a consent to be seen there is good. Pure."""

from collections.abc import Iterable
from datetime import date

from apps.kernel.periods import Period


def unbroken(stays: Iterable[Period], on: date) -> Period | None:
    """The days around `on` on which somebody belonged to one household without a break; None: not on that day.

    `stays` do not overlap. One may follow another at once, when somebody becomes head of the household, say.
    """
    joined: list[Period] = []
    for stay in sorted(stays, key=lambda stay: stay.start):
        if joined and joined[-1].end == stay.start:
            joined[-1] = Period(joined[-1].start, stay.end)
        else:
            joined.append(stay)
    return next((stay for stay in joined if on in stay), None)


def is_seen(stays: Iterable[Period], consented_on: date, on: date) -> bool:
    """Whether a consent of one day still counts on another: only in the stay in which it was given."""
    stay = unbroken(stays, on)
    return stay is not None and consented_on in stay

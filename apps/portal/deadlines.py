"""The day that a resident should know of next. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from apps.refunds.deadlines import months_after

TOLD_MONTHS_AHEAD: Final = 12


class DeadlineKind(StrEnum):
    """What ends: claiming a refund, appealing against a decision, or what can still be done about a year's purchases.

    Of one day the first is told.
    """

    LAPSE = "lapse"
    APPEAL = "appeal"
    FILING = "filing"


@dataclass(frozen=True, slots=True)
class Deadline:
    """A last day. Of a lapse, `amount_minor` is what is lost; of an appeal, `decision_id` what it is about."""

    kind: DeadlineKind
    last_day: date
    amount_minor: int = 0
    decision_id: int = 0


def next_deadline(deadlines: Iterable[Deadline], today: date) -> Deadline | None:
    """The next that is not over, up to a year ahead: later ones need no word yet."""
    order = list(DeadlineKind)
    until = months_after(today, TOLD_MONTHS_AHEAD)
    near = [deadline for deadline in deadlines if today <= deadline.last_day <= until]
    return min(near, key=lambda deadline: (deadline.last_day, order.index(deadline.kind)), default=None)

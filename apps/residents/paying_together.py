"""Whether the refunds of a household's adults go to its head: only while every one of them agrees. Pure.

Each adult is paid an own share unless all agree otherwise; then the registered head is paid, if that is an adult.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from apps.kernel.periods import Period
from apps.residents.seeing import is_seen


@dataclass(frozen=True, slots=True)
class Adult:
    """A member now: the stays in the household, and to whose payment and since when the adult agrees, if at all."""

    ref: UUID
    is_head: bool
    stays: tuple[Period, ...]
    agreed_to: UUID | None = None
    agreed_on: date | None = None

    def agrees(self, head: UUID, on: date) -> bool:
        """Whether the adult agreed to this head, in the present stay."""
        return self.agreed_to == head and self.agreed_on is not None and is_seen(self.stays, self.agreed_on, on)


def head_of(adults: Iterable[Adult]) -> UUID | None:
    """The head, if it is an adult."""
    return next((one.ref for one in adults if one.is_head), None)


def agreeing(adults: Collection[Adult], left: Collection[date], on: date) -> int:
    """How many agree that the head is paid. `left` are the first days on which adults belonged to it no more.

    Whoever agreed while somebody was there who left since, agreed to something else, and is asked again.
    """
    head = head_of(adults)
    last = max((day for day in left if day <= on), default=date.min)
    return sum(
        1 for one in adults if head and one.agreed_on is not None and one.agreed_on >= last and one.agrees(head, on)
    )


def paid_head(adults: Collection[Adult], left: Collection[date], on: date) -> UUID | None:
    """To whom the refunds of all these adults go, None: to each the own."""
    return head_of(adults) if len(adults) > 1 and agreeing(adults, left, on) == len(adults) else None

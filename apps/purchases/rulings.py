"""What the refund office rules about a sale, filed under it beside what tills sent about it. Pure.

A ruling says whether the sale is on its holder's account from then on, never whose that is. The last one stands; a
sale without any is on it, unless it never came on one.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from apps.purchases.following import Follower, kind_of

OFFICE: Final = 0  # the terminal whose records rulings are: no till has this number


class Ruling(StrEnum):
    """The kinds: judged again (`hold`, `reject`, `release`), the resident's answer, or the resident's withdrawal."""

    HOLD = "hold"
    REJECT = "reject"
    RELEASE = "release"
    CONFIRM = "confirm"
    DENY = "deny"
    WITHDRAW = "withdraw"


OFF_ACCOUNT: Final = frozenset({Ruling.HOLD, Ruling.REJECT, Ruling.DENY, Ruling.WITHDRAW})


def takes_off(rulings: Sequence[Follower]) -> bool:
    """Whether the last of a sale's rulings, in the order in which they were made, takes it off the account."""
    return bool(rulings) and kind_of(rulings[-1]) in OFF_ACCOUNT


def is_withdrawn(rulings: Sequence[Follower]) -> bool:
    """Whether the resident withdrew the sale: then nothing that follows it is booked any more."""
    return bool(rulings) and kind_of(rulings[-1]) == Ruling.WITHDRAW

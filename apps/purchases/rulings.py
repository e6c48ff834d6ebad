"""What the refund office rules about a sale, filed under it beside what tills sent about it. Pure.

A ruling says whether the sale is on its holder's account from then on, never whose that is. The last one stands; a
sale without any is on it, unless it never came on one. An amendment says something else: what was sold.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from apps.purchases.acceptance import YearRules, lines_defect, year_of
from apps.purchases.following import Amounts, Followed, Follower, Original, follow, kind_of
from apps.purchases.records import read_line

OFFICE: Final = 0  # the terminal whose records rulings are: no till has this number


class Ruling(StrEnum):
    """The kinds: judged again (`hold`, `reject`, `release`), the resident's answer, or the resident's withdrawal.

    `annul` is what two auditors decided after the resident was heard; `amend` gives the sale other amounts, after a
    dispute about its tiers.
    """

    HOLD = "hold"
    REJECT = "reject"
    RELEASE = "release"
    CONFIRM = "confirm"
    DENY = "deny"
    WITHDRAW = "withdraw"
    AMEND = "amend"
    ANNUL = "annul"


OFF_ACCOUNT: Final = frozenset({Ruling.HOLD, Ruling.REJECT, Ruling.DENY, Ruling.WITHDRAW, Ruling.ANNUL})


def takes_off(rulings: Sequence[Follower]) -> bool:
    """Whether the last of a sale's rulings, in the order in which they were made, takes it off the account."""
    return _last_about_account(rulings) in OFF_ACCOUNT


def is_withdrawn(rulings: Sequence[Follower]) -> bool:
    """Whether the resident withdrew the sale: then nothing that follows it is booked any more."""
    return _last_about_account(rulings) == Ruling.WITHDRAW


def follow_ruled(
    sale: Original, followers: Sequence[Follower], rulings: Sequence[Follower], years: Sequence[YearRules]
) -> Followed:
    """What is left of the sale after what tills sent about it and as the office amended it.

    The last amendment's amounts stand in place of those of the till and of all its corrections, whether those came
    before or after; a correction still moves the sale in time, and a void ends it. Returns are fitted to what the till
    sold, so tills are answered as if there were no amendment, and are then taken off the amended amounts. An amendment
    whose tiers are not in force at the sale's time counts for nothing. So it does not matter in which order they come.
    """
    followed = follow(sale, followers, years)
    amounts, sold = _amended(rulings), followed.sold
    if amounts is None or sold is None or followed.voided:
        return followed
    rules = year_of(sold.at, years)
    if rules is None or lines_defect(tuple(amounts), sold.at, rules):
        return followed
    returned = {tier: amount - followed.left.get(tier, 0) for tier, amount in sold.amounts.items()}
    followed.sold, followed.left = sold._replace(amounts=amounts), less_returned(amounts, returned)
    return followed


def less_returned(amounts: Amounts, returned: Mapping[str, int]) -> dict[str, int]:
    """What is left of amended amounts, in minor units by tier, without tiers of which nothing is.

    What was returned of a tier that the amendment has less of is taken off its other tiers, by their codes.
    """
    left, elsewhere = dict(amounts), 0
    for tier, amount in returned.items():
        taken = min(amount, left.get(tier, 0))
        elsewhere += amount - taken
        if taken:
            left[tier] -= taken
    for tier in sorted(left):
        taken = min(elsewhere, left[tier])
        left[tier] -= taken
        elsewhere -= taken
    return {tier: amount for tier, amount in left.items() if amount}


def _amended(rulings: Sequence[Follower]) -> Amounts | None:
    last = next((ruling for ruling in reversed(rulings) if kind_of(ruling) == Ruling.AMEND), None)
    return read_line(last.line).amounts if last else None


def _last_about_account(rulings: Sequence[Follower]) -> str:
    kinds = [kind for ruling in rulings if (kind := kind_of(ruling)) != Ruling.AMEND]
    return kinds[-1] if kinds else ""

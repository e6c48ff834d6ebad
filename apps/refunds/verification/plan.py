"""What a scheme asks of the archive in one year: the months that must be told apart, and each tier's share in them.

Shares are fractions; as numerators over one common denominator they go into statements, and no sum is rounded.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from math import lcm
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from apps.refunds.verification.errors import TooLarge
from apps.schemes.document import DatedRate, RefundRule, Scheme, Tier, measures_purchases

MONTHS: Final = range(1, 13)
LARGEST: Final = 2**127 - 1


class Plan(NamedTuple):
    """A scheme in a year.

    `borders` are the 13 moments, in UTC, at which months start and the year ends. `firsts` are the months at which
    something changes: entries of months between are one sum. `shares` has per tier code the 12 months' shares, None
    without a rate. `denominator` is that of all that purchases bring: 1 where each purchase is rounded.
    """

    refund: RefundRule
    borders: list[datetime]
    firsts: list[int]
    shares: dict[str, list[Fraction | None]]
    denominator: int
    by_purchase: bool
    registered: bool


def plan_of(scheme: Scheme, year: int, *, registered: bool) -> Plan:
    """What the scheme asks; with a register, each month of its own. Raises TooLarge."""
    shares = {tier.code: [_share(scheme, tier, date(year, month, 1)) for month in MONTHS] for tier in scheme.tiers}
    known = [share for of_tier in shares.values() for share in of_tier if share is not None]
    denominator = 1 if scheme.refund.purchase else lcm(*(share.denominator for share in known))
    if denominator > LARGEST:
        raise TooLarge("The scheme's rates have no common denominator within 128 bits. Give them fewer decimals.")
    return Plan(
        refund=scheme.refund,
        borders=_borders(year, ZoneInfo(scheme.time_zone)),
        firsts=_firsts(scheme.refund, list(shares.values()), registered),
        shares=shares,
        denominator=denominator,
        by_purchase=measures_purchases(scheme),
        registered=registered,
    )


def _borders(year: int, zone: ZoneInfo) -> list[datetime]:
    starts = [datetime(year, month, 1, tzinfo=zone) for month in MONTHS] + [datetime(year + 1, 1, 1, tzinfo=zone)]
    return [start.astimezone(UTC).replace(tzinfo=None) for start in starts]


def _share(scheme: Scheme, tier: Tier, day: date) -> Fraction | None:
    """The share of a tax-included amount that comes back on a day; None where the tier has no rate."""
    rate, collected = _on(tier.rates, day), _on(tier.collected or scheme.collected, day)
    if rate is None or collected is None:
        return None
    rule = tier.refund or scheme.refund
    given = Fraction(rule.share or 0)
    share = {
        "rate_difference": (Fraction(collected) - Fraction(rate)) / (1 + Fraction(collected)),
        "share_of_tax": given * Fraction(rate) / (1 + Fraction(collected)),
        "share_of_amount": given,
    }[rule.basis]
    return max(share, Fraction(0)) if scheme.refund.surcharge == "ignore" else share


def _on(rates: Sequence[DatedRate], day: date) -> Decimal | None:
    return next((dated.rate for dated in reversed(rates) if dated.from_date <= day), None)


def _firsts(refund: RefundRule, shares: list[list[Fraction | None]], registered: bool) -> list[int]:
    levels = {limit.per for limit in refund.limits}
    if registered or "month" in levels:
        return list(MONTHS)
    changes = {month for of_tier in shares for month in range(2, 13) if of_tier[month - 1] != of_tier[month - 2]}
    return sorted({1} | changes | ({7} if "half_year" in levels else set()))


def by_month(values: Sequence[int]) -> str:
    """An integer for each of 12 months as an expression in the column `month`."""
    if max(map(abs, values)) > LARGEST:
        raise TooLarge(f"{max(values, key=abs)} does not fit 128 bits. Give the scheme's rates fewer decimals.")
    if len(set(values)) == 1:
        return f"{values[0]}::HUGEINT"
    return f"[{', '.join(f'{value}::HUGEINT' for value in values)}][month]"


def rounded(rule: str, n: str, d: str) -> str:
    """n / d rounded to an integer, as an expression; d is above 0. DuckDB's // cuts toward 0."""
    return {
        "floor": f"({n}) // ({d})",
        "kokuzei-tsusoku-120": f"CASE WHEN ({n}) > 0 AND ({n}) < ({d}) THEN 1 ELSE ({n}) // ({d}) END",
        "half_up": f"(2 * ({n}) + sign({n}) * ({d})) // (2 * ({d}))",
    }[rule]


def text(value: object) -> str:
    """A value as a text in a statement."""
    return "'" + str(value).replace("'", "''") + "'"

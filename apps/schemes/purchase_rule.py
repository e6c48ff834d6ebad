"""What a single purchase brings, under a scheme that takes purchases one by one. Pure; docs/refund-rules.md."""

from collections.abc import Mapping
from fractions import Fraction

from apps.kernel.rounding import ROUNDING_RULES
from apps.schemes.document import PurchaseRule, Scheme
from apps.schemes.rates import lines_of_year


def shares_of_month(scheme: Scheme, year: int, month: int) -> dict[str, Fraction]:
    """The share that comes back of each tier that has a rate in the month, in the scheme's order of tiers."""
    return {
        line.tier: line.share for line in lines_of_year(scheme, year) if line.first_month <= month <= line.last_month
    }


def bases_of(rule: PurchaseRule, shares: Mapping[str, Fraction], left: Mapping[str, int]) -> dict[str, int]:
    """What a purchase brings per tier, in minor units, as what is left of it; tiers that bring nothing are left out.

    `shares` gives each tier's share in the purchase's month, in the scheme's order, in which the cap is used up.
    Amounts of 0 or less bring nothing.
    """
    kept = {tier: amount for tier, amount in left.items() if amount > 0}
    if rule.minimum is not None and sum(kept.values()) < rule.minimum:
        return {}
    bases = {tier: ROUNDING_RULES[rule.rounding](share * kept[tier]) for tier, share in shares.items() if tier in kept}
    return {tier: base for tier, base in _capped(bases, rule.cap).items() if base}


def _capped(bases: dict[str, int], cap: int | None) -> dict[str, int]:
    if cap is None:
        return bases
    capped = {}
    for tier, base in bases.items():
        capped[tier] = min(base, cap)
        cap -= capped[tier]
    return capped

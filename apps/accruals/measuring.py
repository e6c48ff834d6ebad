"""What single purchases bring and how many there are, for totals under a scheme that asks. Pure; docs/refund-rules.md.

A record changes the base of its purchase by f(what is left now) − f(what was left before): so totals hold the sum of f
over the purchases as they are, in whatever order and grouping their records came.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from apps.schemes.document import PurchaseRule, Scheme, measures_purchases
from apps.schemes.purchase_rule import bases_of, shares_of_month


class Measure(NamedTuple):
    """How a year's purchases are measured: the rule for each, if there is one, and the tiers' shares month by month."""

    rule: PurchaseRule | None
    shares: Sequence[Mapping[str, Fraction]]


class Measured(NamedTuple):
    """By how much the number of purchases with something left grows, and what they bring, by tier; None: no rule."""

    purchases: int
    bases_minor: Mapping[str, int] | None


def measure_of(scheme: Scheme, year: int) -> Measure | None:
    """How the scheme measures the purchases of a year, or None where sums of amounts are all it needs."""
    if not measures_purchases(scheme):
        return None
    return Measure(scheme.refund.purchase, [shares_of_month(scheme, year, month) for month in range(1, 13)])


def measured(measure: Measure, month: int, before: Mapping[str, int], after: Mapping[str, int]) -> Measured:
    """What changes when of a purchase of a month (1 to 12) another amount is left, by tier, in minor units."""
    purchases = is_anything(after) - is_anything(before)
    if measure.rule is None:
        return Measured(purchases, None)
    brought, bring = (bases_of(measure.rule, measure.shares[month - 1], left) for left in (before, after))
    bases = {tier: bring.get(tier, 0) - brought.get(tier, 0) for tier in {*before, *after}}
    return Measured(purchases, {t: base for t, base in bases.items() if base or after.get(t, 0) != before.get(t, 0)})


def is_anything(left: Mapping[str, int]) -> bool:
    """Whether something is left of a purchase."""
    return any(amount > 0 for amount in left.values())

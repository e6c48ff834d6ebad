"""The refund: from a resident's totals to an amount and the lines that explain it. Pure, exact, the first of two ways.

The blanket rate was paid on everything, tax included: of an amount S bought at the collected rate c, the tier's legal
rate r returns S × (c − r) / (1 + c). At 10 % and 8 % that is S × 2 / 110.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from apps.kernel.errors import KanpuError
from apps.kernel.periods import year_period
from apps.kernel.rounding import ROUNDING_RULES
from apps.schemes.document import Scheme, rate_periods


class NoRate(KanpuError):
    """There is spend on a tier in a month in which it has no rate."""

    code = "no_rate"


class Spend(NamedTuple):
    """What was spent on a tier in a month (1 to 12), in minor units, tax included."""

    month: int
    tier: str
    amount_minor: int


class Rate(NamedTuple):
    """A tier's rate beside the rate collected, in the months from `first_month` to `last_month`."""

    tier: str
    first_month: int
    last_month: int
    collected: Decimal
    rate: Decimal

    @property
    def share(self) -> Fraction:
        """The share of a tax-included amount that comes back."""
        collected = Fraction(self.collected)
        return (collected - Fraction(self.rate)) / (1 + collected)


@dataclass(frozen=True, slots=True)
class Rules:
    """What a scheme says of one year: each (tier, month)'s rate, the cap in minor units, the rounding rule."""

    rates: Mapping[tuple[str, int], Rate]
    cap_minor: int | None
    round: Callable[[Fraction], int]


class Line(NamedTuple):
    """The spend at one rate, and exactly what comes back of it."""

    rate: Rate
    spend_minor: int
    exact: Fraction


@dataclass(frozen=True, slots=True)
class Assessment:
    """A resident's refund for a year. `exact` is the sum of the lines before cap and rounding."""

    lines: tuple[Line, ...]
    exact: Fraction
    refund_minor: int
    at_cap: bool


def rules_of(scheme: Scheme, year: int) -> Rules:
    """The rules of a calendar year under a scheme."""
    rates = {}
    for found in rate_periods(scheme, year_period(year)):
        end = found.period.end
        last = 12 if end is None or end.year > year else end.month - 1
        rate = Rate(found.tier, found.period.start.month, last, found.collected, found.rate)
        rates.update({(rate.tier, month): rate for month in range(rate.first_month, rate.last_month + 1)})
    cap = scheme.refund.cap
    return Rules(rates, cap.amount if cap else None, ROUNDING_RULES[scheme.refund.rounding])


def assess(spend: Iterable[Spend], rules: Rules) -> Assessment:
    """The refund for what one resident spent in a year. The order of `spend` does not matter. Raises NoRate."""
    spent: dict[Rate, int] = defaultdict(int)
    for month, tier, amount_minor in spend:
        if (tier, month) not in rules.rates:
            raise NoRate(f"The scheme has no rate for the tier {tier!r} in month {month}.")
        spent[rules.rates[tier, month]] += amount_minor
    lines = tuple(Line(rate, spent[rate], spent[rate] * rate.share) for rate in sorted(spent))
    exact = sum((line.exact for line in lines), Fraction(0))
    at_cap = rules.cap_minor is not None and exact >= rules.cap_minor
    capped = Fraction(rules.cap_minor) if at_cap and rules.cap_minor is not None else exact
    return Assessment(lines, exact, rules.round(capped), at_cap)


def lines_json(assessment: Assessment) -> dict[str, Any]:
    """An assessment's lines as they are kept: integers and decimal strings only."""
    return {
        "lines": [
            {
                "tier": line.rate.tier,
                "first_month": line.rate.first_month,
                "last_month": line.rate.last_month,
                "collected": str(line.rate.collected),
                "rate": str(line.rate.rate),
                "spend_minor": line.spend_minor,
                "exact": [line.exact.numerator, line.exact.denominator],
            }
            for line in assessment.lines
        ],
        "exact": [assessment.exact.numerator, assessment.exact.denominator],
    }

"""A scheme's rules for one calendar year, ready to compute with. Pure; their meaning is docs/refund-rules.md."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from apps.kernel.rounding import ROUNDING_RULES
from apps.schemes.document import RefundRule, Scheme, measures_purchases
from apps.schemes.rates import RateLine, lines_of_year


@dataclass(frozen=True, slots=True)
class Rules:
    """What a scheme says of a year.

    All that comes back is counted in units of 1 / `denominator` minor unit; `numerators` has, for each line, the units
    that a minor unit of spend brings. `line_of` finds the line of a (tier, month from 1 to 12).
    """

    year: int
    lines: tuple[RateLine, ...]
    line_of: Mapping[tuple[str, int], int]
    numerators: tuple[int, ...]
    denominator: int
    measured: bool
    refund: RefundRule
    round: Callable[[Fraction], int]

    @property
    def pools(self) -> bool:
        """Whether a limit is for a household or its members."""
        return any(limit.unit != "person" for limit in self.refund.limits)


def rules_of(scheme: Scheme, year: int) -> Rules:
    """The rules of a calendar year under a scheme."""
    lines = lines_of_year(scheme, year)
    denominator = 1 if scheme.refund.purchase else lcm(*(line.share.denominator for line in lines))
    return Rules(
        year=year,
        lines=lines,
        line_of={
            (line.tier, month): index
            for index, line in enumerate(lines)
            for month in range(line.first_month, line.last_month + 1)
        },
        numerators=tuple(int(line.share * denominator) for line in lines),
        denominator=denominator,
        measured=measures_purchases(scheme),
        refund=scheme.refund,
        round=ROUNDING_RULES[scheme.refund.rounding],
    )

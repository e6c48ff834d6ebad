"""Rounding rules, each a named pure function of an exact amount in minor units, with its legal source.

Money is an integer number of minor units; what lies between is a `fractions.Fraction`, never a float.
"""

from collections.abc import Callable
from fractions import Fraction
from math import floor
from typing import Final


def floor_to_minor_unit(exact: Fraction) -> int:
    """The whole minor units in `exact` (toward minus infinity)."""
    return floor(exact)


def refund_fraction_jp(exact: Fraction) -> int:
    """Fractions of one yen are dropped; an amount above 0 and under 1 yen becomes 1 yen.

    Source: 国税通則法 (Act on General Rules for National Taxes) article 120, paragraphs 1 and 2.
    """
    if 0 < exact < 1:
        return 1
    return floor(exact)


def half_up(exact: Fraction) -> int:
    """To the nearest minor unit, halves away from 0."""
    rounded = floor(abs(exact) + Fraction(1, 2))
    return rounded if exact >= 0 else -rounded


ROUNDING_RULES: Final[dict[str, Callable[[Fraction], int]]] = {
    "floor": floor_to_minor_unit,
    "kokuzei-tsusoku-120": refund_fraction_jp,
    "half_up": half_up,
}

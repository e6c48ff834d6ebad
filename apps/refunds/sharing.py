"""Sharing a whole amount out in whole parts that add up to it again. Pure."""

from collections.abc import Sequence


def shares_of(amount: int, weights: Sequence[int]) -> list[int]:
    """Whole parts of `amount` by `weights`, by largest remainder; of equal remainders the earlier weight's is first.

    Weights below 0 count as 0; when none is above 0, all parts are 0. Otherwise the parts add up to `amount`.
    """
    heavy = [max(weight, 0) for weight in weights]
    whole = sum(heavy)
    if not whole:
        return [0] * len(heavy)
    parts = [amount * weight // whole for weight in heavy]
    by_remainder = sorted(range(len(heavy)), key=lambda i: (-(amount * heavy[i] % whole), i))
    for i in by_remainder[: amount - sum(parts)]:
        parts[i] += 1
    return parts


def prorated(amount: int, months: Sequence[int], of_months: int) -> int:
    """The part of `amount` for months at these positions (from 1) among `of_months`; all of them add up to it."""
    return sum(amount * month // of_months - amount * (month - 1) // of_months for month in months)

"""How debts are netted against a refund that is due: the oldest first. Pure."""

from collections.abc import Sequence
from typing import NamedTuple


class Debt(NamedTuple):
    """What a resident was given too much, by the run that found it, as far as it is not netted yet (above 0)."""

    tax_year: int
    run: int
    left_minor: int


def netted(due_minor: int, debts: Sequence[Debt]) -> list[tuple[Debt, int]]:
    """What of a refund goes to which debt, in minor units, in the order of `debts`; never more than is due."""
    parts = []
    for debt in debts:
        part = min(due_minor, debt.left_minor)
        if part > 0:
            parts.append((debt, part))
            due_minor -= part
    return parts

"""What a record changes in its terminal's own totals, which a closing reports. Pure.

Own totals are the terminal's sales less its own returns, voids and corrections, whatever became of the records. Each
record changes the totals of the tax year of its own time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from kanpu_pos.fields import Lines
from kanpu_pos.records import Correction, Record, Return, Sale, Void

Amounts: TypeAlias = Mapping[str, int]  # tier: amount_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """An earlier sale or return of this terminal as it stands: its lines after its corrections.

    `sign` is 1 for a sale and -1 for a return. `returned` are the amounts that this terminal has taken back of a
    sale.
    """

    sign: int
    lines: Lines
    returned: Amounts = field(default_factory=dict)
    voided: bool = False


def change(record: Record, booked: Booked | None) -> Amounts:
    """Return what `record` adds to the totals, per tier; `booked` is what it is about, if this terminal has it."""
    match record:
        case Sale():
            return dict(record.lines)
        case Return():
            return times(-1, dict(record.lines))
        case Void() if booked and not booked.voided:
            return times(-booked.sign, plus(dict(booked.lines), times(-1, booked.returned)))
        case Correction() if booked and not booked.voided:
            return times(booked.sign, plus(dict(record.lines), times(-1, dict(booked.lines))))
    return {}


def plus(some: Amounts, others: Amounts) -> dict[str, int]:
    """Return the sum of two sets of amounts, tier by tier."""
    return {tier: some.get(tier, 0) + others.get(tier, 0) for tier in {**some, **others}}


def times(factor: int, amounts: Amounts) -> dict[str, int]:
    """Return each amount times `factor`."""
    return {tier: factor * amount for tier, amount in amounts.items()}

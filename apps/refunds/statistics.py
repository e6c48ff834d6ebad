"""How a run's refunds are spread: over tenths of residents, over prefectures, up to the cap. Pure; minor units."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any, Final

TENTHS: Final = 10
PREFECTURE_DIGITS: Final = 2  # of 全国地方公共団体コード


@dataclass(frozen=True, slots=True)
class Tenth:
    """A tenth of the residents in order of their refunds: 1 has the smallest. Empty below ten residents."""

    number: int
    residents: int
    from_minor: int
    to_minor: int
    sum_minor: int

    @property
    def mean_minor(self) -> int:
        """The mean refund, whole minor units, halves up."""
        return (2 * self.sum_minor + self.residents) // (2 * self.residents) if self.residents else 0


@dataclass(frozen=True, slots=True)
class Region:
    """The residents of a prefecture by its code, 01 to 47; '' where none is known."""

    code: str
    residents: int
    refunded: int
    at_cap: int
    sum_minor: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """A run's refunds together. `steps`: how many lie in each tenth of the cap (see `step_of`); empty without a cap.

    `spend` is month, tier, amount of all up to the run. `to_pay_minor` is what the run gives to those to whom it gives,
    `taken_minor` what it takes from others, from 0 up.
    """

    steps: Mapping[int, int]
    tenths: tuple[Tenth, ...]
    regions: tuple[Region, ...]
    spend: tuple[tuple[int, str, int], ...]
    to_pay: int
    to_pay_minor: int
    taken: int
    taken_minor: int


def tenths_of(residents_at: Mapping[int, int]) -> tuple[Tenth, ...]:
    """Tenths of the residents, from how many have each refund; whoever has the same as others may be in either tenth.

    They have as many residents as can be: one more or less.
    """
    amounts = sorted(residents_at)
    ends = list(accumulate(residents_at[amount] for amount in amounts))
    sums = list(accumulate(amount * residents_at[amount] for amount in amounts))
    everybody = ends[-1] if ends else 0

    def sum_of_first(residents: int) -> int:
        place = bisect_left(ends, residents)
        return sums[place] - (ends[place] - residents) * amounts[place] if residents else 0

    found = []
    for number in range(1, TENTHS + 1):
        begin, end = everybody * (number - 1) // TENTHS, everybody * number // TENTHS
        if begin == end:
            found.append(Tenth(number, 0, 0, 0, 0))
            continue
        first, last = amounts[bisect_right(ends, begin)], amounts[bisect_left(ends, end)]
        found.append(Tenth(number, end - begin, first, last, sum_of_first(end) - sum_of_first(begin)))
    return tuple(found)


def step_of(amount_minor: int, cap_minor: int) -> int:
    """The whole tenths of the cap that a refund reaches, 10 for the cap; -1 for a refund of 0."""
    return amount_minor * TENTHS // cap_minor if amount_minor else -1


def as_json(found: Statistics) -> dict[str, Any]:
    """As a run keeps it."""
    return asdict(found) | {"steps": {str(step): count for step, count in found.steps.items()}}


def from_json(kept: Mapping[str, Any]) -> Statistics:
    """What a run kept."""
    return Statistics(
        steps={int(step): count for step, count in kept["steps"].items()},
        tenths=tuple(Tenth(**tenth) for tenth in kept["tenths"]),
        regions=tuple(Region(**region) for region in kept["regions"]),
        spend=_cells(kept["spend"]),
        to_pay=kept["to_pay"],
        to_pay_minor=kept["to_pay_minor"],
        taken=kept["taken"],
        taken_minor=kept["taken_minor"],
    )


def _cells(rows: Sequence[Sequence[Any]]) -> tuple[tuple[int, str, int], ...]:
    return tuple((month, tier, amount) for month, tier, amount in rows)

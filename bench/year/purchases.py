"""A region's purchases day by day, as records of the protocol: sales, voids and returns. The same for the same seed.

It keeps one day and the returns of the next fortnight, however long the year: memory is flat.
"""

import random
from bisect import bisect
from collections import defaultdict
from collections.abc import Iterator
from itertools import accumulate
from typing import Final, NamedTuple

from bench.year.sample import (
    BOTH_TIERS,
    CANCELLED,
    DAYS,
    PARTLY,
    QUANTILES,
    REDUCED_ONLY,
    RETURN_DAYS,
    TIERS,
    VOIDED,
    Sample,
    amount_table,
    hour_table,
    resident_weights,
    sales_of_days,
    tills,
)

VOID_WITHIN_S: Final = 300
LAST_SECOND: Final = 86_399
Amounts = tuple[tuple[str, int], ...]  # of a tier, in yen


_Sold = tuple[int, int, int, Amounts]  # second, till, resident, amounts


class Event(NamedTuple):
    """A record that a till is about to make.

    `of` is the (till, seq) of the sale that a void or return names; `till` is the number of the till in its region.
    """

    second: int
    till: int
    kind: str
    resident: int
    amounts: Amounts
    of: tuple[int, int] | None = None


class _Return(NamedTuple):
    second: int
    till: int
    resident: int
    amounts: Amounts
    of: tuple[int, int]


class Region:
    """One region's year: `day(n)` yields day n's events, in the order in which tills make them.

    The caller numbers each till's records from 1 in that order, as `Region` does for what returns name.
    """

    def __init__(self, sample: Sample, region: int) -> None:
        self.sample = sample.of_region(region)
        self.tills = tills(self.sample, region)
        self.sales = sales_of_days(self.sample.purchases)
        self._till_edges = list(accumulate(till.weight for till in self.tills))
        self._resident_edges = list(accumulate(resident_weights(self.sample)))
        self._of_merchant: dict[int, list[int]] = defaultdict(list)
        for number, till in enumerate(self.tills):
            self._of_merchant[till.merchant].append(number)
        self._amounts = [amount_table(tier) for tier in TIERS]
        self._hours = hour_table()
        self._seqs = [0] * len(self.tills)
        self._returns: dict[int, list[_Return]] = defaultdict(list)

    def day(self, number: int) -> Iterator[Event]:
        """The events of a day, 0 to 364. Days must be asked for in order, each once."""
        rng = random.Random(f"{self.sample.seed}:{number}")
        drawn: list[_Sold | _Return] = list(self._returns.pop(number, ()))
        drawn += [self._sale(rng) for _ in range(self.sales[number])]
        drawn.sort(key=_second)
        for one in drawn:
            if isinstance(one, _Return):
                self._seqs[one.till] += 1
                yield Event(one.second, one.till, "return", one.resident, one.amounts, one.of)
            else:
                yield from self._sold(rng, number, one)

    def _sale(self, rng: random.Random) -> _Sold:
        draw = rng.random
        resident = bisect(self._resident_edges, draw() * self._resident_edges[-1])
        till = bisect(self._till_edges, draw() * self._till_edges[-1])
        second = self._hours[int(draw() * len(self._hours))] * 3600 + int(draw() * 3600)
        return second, till, resident, self._basket(draw(), draw(), draw())

    def _basket(self, tiers: float, first: float, second: float) -> Amounts:
        reduced, standard = self._amounts
        if tiers < REDUCED_ONLY:
            return ((TIERS[0], reduced[int(first * QUANTILES)]),)
        if tiers < REDUCED_ONLY + BOTH_TIERS:
            return (TIERS[0], reduced[int(first * QUANTILES)]), (TIERS[1], standard[int(second * QUANTILES)])
        return ((TIERS[1], standard[int(second * QUANTILES)]),)

    def _sold(self, rng: random.Random, day: int, sold: _Sold) -> Iterator[Event]:
        second, till, resident, amounts = sold
        self._seqs[till] += 1
        yield Event(second, till, "sale", resident, amounts)
        if rng.random() >= CANCELLED:
            return
        of = (till, self._seqs[till])
        if rng.random() < VOIDED or day == len(DAYS) - 1:
            self._seqs[till] += 1
            yield Event(
                min(second + 1 + rng.randrange(VOID_WITHIN_S), LAST_SECOND), till, "void", resident, amounts, of
            )
        else:
            self._come_back(rng, day, _Return(second, till, resident, amounts, of))

    def _come_back(self, rng: random.Random, day: int, sold: _Return) -> None:
        """Plan a return at one of the merchant's tills within a fortnight, and within the year."""
        on = min(day + 1 + rng.randrange(RETURN_DAYS), len(DAYS) - 1)
        till = rng.choice(self._of_merchant[self.tills[sold.till].merchant])
        back = sold.amounts
        if rng.random() < PARTLY:
            tier, amount = back[0]
            back = ((tier, (amount + 1) // 2),)
        self._returns[on].append(sold._replace(second=rng.randrange(LAST_SECOND), till=till, amounts=back))


def _second(one: _Sold | _Return) -> int:
    return one[0]

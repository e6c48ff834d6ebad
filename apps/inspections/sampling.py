"""Samples of a population: how large, which items, and what they say of the whole. Exact; pure.

Attribute sampling counts deviations: by the hypergeometric distribution, that is without replacement from a population
of known size. Monetary-unit sampling takes an item as often as a yen drawn every `interval` falls into it: by the
Poisson distribution, with the tainting of each misstated item. Which items are taken follows from the seed by SHA-256
alone, so that any program draws the same.
"""

import hashlib
from collections.abc import Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from math import ceil, comb, floor
from typing import Final, NamedTuple

from apps.kernel.errors import KanpuError

CONFIDENCES: Final = (Fraction(90, 100), Fraction(95, 100), Fraction(99, 100))
# By which an expected misstatement is enlarged. Source: AICPA, Audit Guide: Audit Sampling, table of expansion factors.
EXPANSION: Final = {
    CONFIDENCES[0]: Fraction(15, 10),
    CONFIDENCES[1]: Fraction(16, 10),
    CONFIDENCES[2]: Fraction(19, 10),
}
FACTOR_STEP: Final = Decimal("0.0001")
MOST_ITEMS: Final = 10_000


class SampleImpossible(KanpuError):
    """No sample can show what is asked for: too much is expected of what is tolerated."""

    code = "sample_impossible"


class SampleTooLarge(KanpuError):
    """More items than anybody works through."""

    code = "sample_too_large"


class Size(NamedTuple):
    """How many items to look at, and how many deviations among them still show what is asked for."""

    items: int
    allowed: int


class Looked(NamedTuple):
    """An item of a monetary-unit sample: what is recorded and what is right, minor units."""

    amount_minor: int
    right_minor: int


class Misstatement(NamedTuple):
    """What a monetary-unit sample says of the population, minor units; `upper_minor` is rounded up.

    `basic_minor` is the upper limit's part that remains when nothing is wrong; `understated_minor` is the most likely
    sum of what is recorded too low, which the limit leaves out.
    """

    likely_minor: int
    upper_minor: int
    basic_minor: int
    understated_minor: int


def chance_of_at_most(deviations: int, *, items: int, among: int, deviating: int) -> Fraction:
    """The probability that `items` of a population of `among`, in which `deviating` deviate, have at most `deviations`.

    Hypergeometric, exact: the sum over i of C(D, i) C(N - D, n - i) / C(N, n).
    """
    most = min(deviations, items, deviating)
    ways = sum(comb(deviating, i) * comb(among - deviating, items - i) for i in range(most + 1))
    return Fraction(ways, comb(among, items))


def attribute_size(among: int, *, tolerable: Fraction, expected: Fraction, confidence: Fraction) -> Size:
    """The smallest sample that, with the share of deviations that is expected, shows less than the tolerable rate.

    n is the least with P(X <= k | n, N, D) <= 1 - confidence, where k = n x expected and D = N x tolerable, both
    rounded up. N = 3,653, 9 %, 2 %, 95 % give 68 with 2 allowed (the binomial distribution gives the same there).
    Raises SampleImpossible, SampleTooLarge.
    """
    if not 0 <= expected < tolerable < 1:
        raise SampleImpossible("The expected rate has to be below the tolerable rate. Change one of them.")
    deviating, risk = ceil(tolerable * among), 1 - confidence
    for allowed in range(MOST_ITEMS + 1):
        least, most = _items_that_expect(allowed, expected, among)
        if least > min(among, MOST_ITEMS):
            break
        if least > most:  # no size expects just as many
            continue
        if chance_of_at_most(allowed, items=min(most, MOST_ITEMS), among=among, deviating=deviating) <= risk:
            return Size(_least_items(allowed, least, most, among=among, deviating=deviating, risk=risk), allowed)
    if among > MOST_ITEMS:
        raise SampleTooLarge(f"More than {MOST_ITEMS:,} items would be needed. Tolerate more, or be less sure.")
    return Size(among, floor(expected * among))


def _items_that_expect(allowed: int, expected: Fraction, among: int) -> tuple[int, int]:
    """The sizes, from and to, of which the expected rate, rounded up, is this number of deviations."""
    if expected == 0:
        return (1, among) if allowed == 0 else (among + 1, among)
    return max(1, floor((allowed - 1) / expected) + 1), min(among, floor(allowed / expected))


def _least_items(allowed: int, least: int, most: int, *, among: int, deviating: int, risk: Fraction) -> int:
    """The first size from `least` to `most` that is large enough: the larger, the less the chance."""
    most = min(most, MOST_ITEMS)
    while least < most:
        middle = (least + most) // 2
        if chance_of_at_most(allowed, items=middle, among=among, deviating=deviating) <= risk:
            most = middle
        else:
            least = middle + 1
    return most


def most_deviating(deviations: int, *, items: int, among: int, confidence: Fraction) -> int:
    """The upper limit: the most deviating items in the population that the sample does not rule out.

    The largest D with P(X <= deviations | D) > 1 - confidence (one-sided limit of Clopper and Pearson, hypergeometric).
    """
    least, most = deviations, among - (items - deviations)
    while least < most:
        middle = (least + most + 1) // 2
        if chance_of_at_most(deviations, items=items, among=among, deviating=middle) > 1 - confidence:
            least = middle
        else:
            most = middle - 1
    return least


def confidence_factor(misstated: int, confidence: Fraction) -> Decimal:
    """The mean of a Poisson distribution that gives at most `misstated` with the remaining risk; 4 places, rounded up.

    95 % give 2.9958, 4.7439, 6.2958 for 0, 1 and 2.
    """
    with localcontext() as context:
        context.prec = 60
        risk = Decimal(1) - Decimal(confidence.numerator) / Decimal(confidence.denominator)
        low, high = 0, 10_000 * (misstated * 3 + 20)
        while low < high:
            middle = (low + high) // 2
            if _poisson_at_most(misstated, middle * FACTOR_STEP) <= risk:
                high = middle
            else:
                low = middle + 1
        return (low * FACTOR_STEP).quantize(FACTOR_STEP)


def _poisson_at_most(most: int, mean: Decimal) -> Decimal:
    term = total = Decimal(1)
    for i in range(1, most + 1):
        term = term * mean / i
        total += term
    return total * (-mean).exp()


def monetary_interval(tolerable_minor: int, *, expected_minor: int, confidence: Fraction) -> int:
    """Every how many yen one is drawn: (tolerable - expected x expansion factor) / confidence factor, rounded down.

    Raises SampleImpossible.
    """
    left = tolerable_minor - expected_minor * EXPANSION[confidence]
    interval = floor(left / Fraction(confidence_factor(0, confidence)))
    if interval < 1:
        raise SampleImpossible("Too much misstatement is expected of what is tolerated. Change one of them.")
    return interval


def first_yen(seed: bytes, interval: int) -> int:
    """The first yen that is drawn, 1 to `interval`: from the seed by SHA-256, in the evenest way 256 bits allow."""
    return int.from_bytes(hashlib.sha256(seed + b"first yen").digest()) % interval + 1


def rank(seed: bytes, key: str) -> bytes:
    """By what an item is ranked: those with the lowest ranks are an attribute sample. SHA-256 of the seed and its key.

    Each set of items is equally likely, and neither the order of a table nor a library's generator has a say in it.
    """
    return hashlib.sha256(seed + key.encode()).digest()


def times_drawn(before_minor: int, amount_minor: int, *, start: int, interval: int) -> int:
    """How many drawn yen lie in an item of which the sums of those before it are `before_minor`."""
    upto = before_minor + amount_minor
    return (upto - start + interval) // interval - (before_minor - start + interval) // interval


def misstatement(looked: Sequence[Looked], *, interval: int, confidence: Fraction) -> Misstatement:
    """What the items of a monetary-unit sample say of the population, by the tainting of each that is misstated.

    An item of at least the interval was taken whole: it counts as it is. Each other stands for an interval: its
    tainting, (recorded - right) / recorded, times that. The upper limit adds what is not seen: the factor for no
    misstatement, and the increments of the factor in the order of the taintings, the largest first.
    """
    whole = [item.amount_minor - item.right_minor for item in looked if item.amount_minor >= interval]
    taints = [
        Fraction(item.amount_minor - item.right_minor, item.amount_minor)
        for item in looked
        if item.amount_minor < interval
    ]
    over = sorted((taint for taint in taints if taint > 0), reverse=True)
    known, low = sum(max(0, wrong) for wrong in whole), sum(min(0, wrong) for wrong in whole)
    factors = [Fraction(confidence_factor(i, confidence)) for i in range(len(over) + 1)]
    basic = factors[0] * interval
    shown = sum((factors[i + 1] - factors[i]) * taint * interval for i, taint in enumerate(over))
    under = sum((-taint * interval for taint in taints if taint < 0), Fraction(-low))
    likely = known + sum(over, Fraction(0)) * interval
    return Misstatement(round(likely), ceil(known + basic + shown), ceil(basic), round(under))

"""Who buys what, where and when in the made-up year. Pure: the same seed makes the same purchases.

Each figure below says where it comes from. CJ is The Complete Journey, the year of real purchases that the demo plays,
as `apps.simulator.baskets` reads it: 155,370 baskets of 2,469 households at 457 stores of one American chain.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate
from statistics import NormalDist
from typing import Final

YEAR: Final = 2017
DAYS: Final = tuple(date(YEAR, 1, 1) + timedelta(days=day) for day in range(365))
REGIONS: Final = 2  # people shop where they live: each region's residents buy at its shops. One loader a region.

# Monday first. CJ: baskets on a weekday over the mean, rounded.
WEEKDAYS: Final = (0.98, 0.94, 0.92, 0.93, 0.97, 1.11, 1.14)
# Retail sales of December 2017 over the year's mean month: 13.946 / (142.516 / 12) trillion yen (Ministry of Economy,
# Trade and Industry, Current Survey of Commerce, preliminary report of January 2018). Other months as their days are.
DECEMBER: Final = 1.17
# The busiest days. CJ: the busiest day has 1.5 times the mean. That it is New Year's Eve in Japan, and that shops are
# half empty on 1 January, are assumptions.
SPECIAL: Final = {(1, 1): 0.5, (12, 30): 1.3, (12, 31): 1.5}
# CJ: baskets in each hour of the day, per mille.
HOURS: Final = (5, 4, 2, 1, 2, 5, 12, 19, 27, 39, 54, 65, 67, 70, 75, 85, 96, 97, 86, 71, 54, 34, 20, 10)

# A shop for so many residents: 990,246 retail establishments (Economic Census for Business Activity 2012, as far as
# known: an assumption) for 127 million.
RESIDENTS_A_SHOP: Final = 128
# The n-th largest shop sells 1 / n of the largest: Zipf's law with exponent 1, as firm sizes follow it (Axtell, Science
# 293, 2001). CJ's 200 largest stores fall off faster (1.9), but those are of one chain.
ZIPF: Final = 1.0
SALES_A_TERMINAL_DAY: Final = 200  # a shop that sells more has another till (assumption)
SHOPS_A_MERCHANT: Final = 10  # assumption; a return may come at any till of the merchant
# Four of five tills seal their records; the others were enrolled without a key (assumption).
UNSEALED_EVERY: Final = 5

# How far residents differ: the standard deviation of the logarithm of their purchases a year. CJ has 1.13, but at one
# chain only; over all shops together people differ less (0.7 is an assumption).
RESIDENT_SIGMA: Final = 0.7
# Shares of baskets by their tiers. CJ: 0.427, 0.407, 0.167.
REDUCED_ONLY: Final = 0.43
BOTH_TIERS: Final = 0.40
# Amounts of a tier in yen are lognormal. Medians so that a purchase is about ¥1,900 (assumption: 876 purchases a head
# then come to ¥1.6 million a year). CJ's spread is 1.3 and 1.1; with Japan's smaller baskets 1.0 is an assumption.
MEDIANS: Final = {"reduced": 750, "standard": 900}
AMOUNT_SIGMA: Final = 1.0
TIERS: Final = ("reduced", "standard")

# Korea's share of cancelled purchases, as the project's requirements give it.
CANCELLED: Final = 0.015
# Of three cancellations two are voids at once at the same till; a return comes within a fortnight; half are of a part
# of the goods (assumptions).
VOIDED: Final = 2 / 3
RETURN_DAYS: Final = 14
PARTLY: Final = 0.5

QUANTILES: Final = 4096  # how finely lognormal amounts are tabulated


@dataclass(frozen=True, slots=True)
class Sample:
    """How large the year is, over all regions."""

    residents: int
    purchases: int
    seed: int

    def of_region(self, region: int) -> "Sample":
        """A region's part, with a seed of its own."""
        return Sample(
            _part(self.residents, region),
            _part(self.purchases, region),
            random.Random(f"{self.seed}:{region}").getrandbits(32),
        )


@dataclass(frozen=True, slots=True)
class Till:
    """A till of a shop: its code, the merchant it belongs to, and whether it seals."""

    code: str
    merchant: int
    shop: int
    sealed: bool
    weight: float


def _part(whole: int, region: int) -> int:
    return whole * (region + 1) // REGIONS - whole * region // REGIONS


def day_weight(day: date) -> float:
    """How busy a day is, where 1 is about the mean."""
    season = DECEMBER if day.month == 12 else 1.0
    return WEEKDAYS[day.weekday()] * season * SPECIAL.get((day.month, day.day), 1.0)


def shares(total: int, weights: Sequence[float]) -> list[int]:
    """`total` in whole parts by weights: each within one of its exact share, and the sum is exact."""
    factor = total / sum(weights)
    edges = [round(edge * factor) for edge in accumulate(weights)]
    return [after - before for before, after in zip([0, *edges], edges, strict=False)]


def sales_of_days(purchases: int) -> list[int]:
    """How many sales each day of the year has."""
    return shares(purchases, [day_weight(day) for day in DAYS])


def tills(sample: Sample, region: int) -> list[Till]:
    """A region's tills: shops by Zipf's law, each with as many tills as its sales need."""
    count = max(1, sample.residents // RESIDENTS_A_SHOP)
    weights = [1 / rank**ZIPF for rank in range(1, count + 1)]
    daily = sample.purchases / len(DAYS) / sum(weights)
    made: list[Till] = []
    for shop, weight in enumerate(weights):
        number = max(1, math.ceil(weight * daily / SALES_A_TERMINAL_DAY))
        for till in range(1, number + 1):
            code = f"year-{region}-{shop + 1}-{till}"
            sealed = (len(made) + 1) % UNSEALED_EVERY > 0
            # Shops of all sizes belong to a merchant, as a chain has them.
            made.append(Till(code, shop % max(1, count // SHOPS_A_MERCHANT), shop, sealed, weight / number))
    return made


def resident_weights(sample: Sample) -> list[float]:
    """How often each resident buys, relative to the others."""
    rng = random.Random(f"{sample.seed}:residents")
    return [rng.lognormvariate(0.0, RESIDENT_SIGMA) for _ in range(sample.residents)]


def amount_table(tier: str) -> tuple[int, ...]:
    """Amounts of a tier in yen at equal steps of probability, at least 1."""
    normal = NormalDist(math.log(MEDIANS[tier]), AMOUNT_SIGMA)
    return tuple(max(1, round(math.exp(normal.inv_cdf((n + 0.5) / QUANTILES)))) for n in range(QUANTILES))


def hour_table() -> tuple[int, ...]:
    """Hours of the day, each as often as it has per mille of the sales."""
    return tuple(hour for hour, often in enumerate(HOURS) for _ in range(often))

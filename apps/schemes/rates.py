"""Which rate a tier has in which months, and the share of a tax-included amount that comes back. Pure.

Used where purchases are accepted and counted and by the first assessment; the second has its own.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from apps.kernel.periods import Period, consecutive, year_period
from apps.schemes.document import DatedRate, Scheme, Tier, TierRefund


class RatePeriod(NamedTuple):
    """A tier's rate beside the rate collected, for days on which neither changes. `share` is k of refund-rules.md."""

    tier: str
    period: Period
    collected: Decimal
    rate: Decimal
    share: Fraction


class RateLine(NamedTuple):
    """The same for the months of one year from `first_month` to `last_month` (1 to 12). `share` may be below 0."""

    tier: str
    first_month: int
    last_month: int
    collected: Decimal
    rate: Decimal
    share: Fraction


def dated(rates: Sequence[DatedRate]) -> list[tuple[Period, Decimal]]:
    """Each rate with the half-open period in which it applies."""
    return list(zip(consecutive(r.from_date for r in rates), (r.rate for r in rates), strict=True))


def rate_on(rates: Sequence[DatedRate], day: date) -> Decimal | None:
    """The rate that applies on a day, or None before the first."""
    return next((rate for period, rate in dated(rates) if day in period), None)


def lines_between(scheme: Scheme, tier: Tier, start: date, end: date | None) -> list[RatePeriod]:
    """The tier's periods of constant rates from `start` up to before `end`, by date."""
    within = Period(start, end)
    found = []
    for period, rate in dated(tier.rates):
        for collected_period, collected in dated(tier.collected or scheme.collected):
            shared = period.overlap(collected_period)
            if shared and (inside := shared.overlap(within)):
                found.append(RatePeriod(tier.code, inside, collected, rate, _share(scheme, tier, collected, rate)))
    return found


def lines_of_year(scheme: Scheme, year: int) -> tuple[RateLine, ...]:
    """Every line of a calendar year, by tier in the file's order, then by month; surcharges as the scheme says."""
    days = year_period(year)
    return tuple(
        RateLine(found.tier, found.period.start.month, _last_month(found.period, year), *found[2:])
        for tier in scheme.tiers
        for found in lines_between(scheme, tier, days.start, days.end)
    )


def _last_month(period: Period, year: int) -> int:
    return 12 if period.end is None or period.end.year > year else period.end.month - 1


def _share(scheme: Scheme, tier: Tier, collected: Decimal, rate: Decimal) -> Fraction:
    refund = tier.refund or TierRefund(scheme.refund.basis, scheme.refund.share)
    share = Fraction(refund.share) if refund.share is not None else Fraction(0)
    if refund.basis == "share_of_amount":
        return share
    if refund.basis == "share_of_tax":
        return share * Fraction(rate) / (1 + Fraction(collected))
    difference = (Fraction(collected) - Fraction(rate)) / (1 + Fraction(collected))
    return max(difference, Fraction(0)) if scheme.refund.surcharge == "ignore" else difference

"""A scheme made to fit a year that was recorded under another: its tiers, its dates, its currency. Pure.

The result is a scheme like any other, with the recorded tiers and for that year alone: all that computes takes it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from msgspec.structs import replace

from apps.kernel.errors import KanpuError
from apps.kernel.rounding import half_up
from apps.schemes.document import AtLeast, Cap, DatedRate, Limit, RefundRule, Scheme, Tier, Words
from apps.schemes.rates import RateLine, lines_of_year


class TierMissing(KanpuError):
    """The scheme does not have a tier of the recorded year, or not the tier that was named for it."""

    code = "tier_missing"


class RateMissing(KanpuError):
    """The scheme has no rate in a month in which something was bought."""

    code = "rate_missing"


class CurrencyDiffers(KanpuError):
    """The scheme counts in another currency than the recorded year."""

    code = "currency_differs"


class AssumptionUnused(KanpuError):
    """Something was assumed that has no meaning for this scheme and year."""

    code = "assumption_unused"


class Assumptions(NamedTuple):
    """What is assumed so that a scheme fits a recorded year.

    `tiers` names, for recorded tiers, the scheme's tier whose rules they get; others keep their code. `as_of` is the
    year whose rates are taken, month by month, by default the recorded one. `exchange_rate` is what one unit of the
    scheme's currency is in the recorded one: yen for a euro, not for a cent.
    """

    tiers: Mapping[str, str] = {}
    as_of: int | None = None
    exchange_rate: Decimal | None = None


class Bought(NamedTuple):
    """That something was bought of a tier in a month (1 to 12)."""

    tier: str
    month: int


def unmatched(scheme: Scheme, recorded: Iterable[str]) -> list[str]:
    """The recorded tiers that the scheme does not have by their code, in order."""
    known = {tier.code for tier in scheme.tiers}
    return sorted(set(recorded) - known)


def adapted(scheme: Scheme, *, recorded: Scheme, year: int, bought: Collection[Bought], assumed: Assumptions) -> Scheme:
    """The scheme for a year recorded under another: what was bought finds its tier, rates and amounts.

    Raises TierMissing, RateMissing, CurrencyDiffers, AssumptionUnused.
    """
    targets = _targets(scheme, recorded, sorted({tier for tier, _ in bought}), assumed.tiers)
    converted = _in_currency(scheme, recorded, assumed.exchange_rate)
    lines = lines_of_year(scheme, assumed.as_of or year)
    for tier, month in sorted(bought):
        _check_rate(scheme, lines, tier=targets[tier], month=month, year=assumed.as_of or year)
    order = {tier.code: place for place, tier in enumerate(converted.tiers)}
    tiers = [
        _tier(converted.tiers[order[target]], code, [line for line in lines if line.tier == target], year)
        for code, target in sorted(targets.items(), key=lambda pair: order[pair[1]])
    ]
    return replace(converted, tiers=tiers)


def _targets(scheme: Scheme, recorded: Scheme, tiers: Collection[str], named: Mapping[str, str]) -> dict[str, str]:
    if unknown := set(named) - {tier.code for tier in recorded.tiers}:
        raise AssumptionUnused(
            f"The recorded year has no tier {', '.join(sorted(unknown))}. It has: {_codes(recorded)}."
        )
    targets = {tier: named.get(tier, tier) for tier in tiers}
    known = {tier.code for tier in scheme.tiers}
    if wrong := sorted(set(named.values()) - known):
        raise TierMissing(f"{scheme.code} has no tier {', '.join(wrong)}. It has: {_codes(scheme)}.")
    if missing := [tier for tier, target in sorted(targets.items()) if target not in known]:
        options = " ".join(f"--tier {tier}=TIER" for tier in missing)
        raise TierMissing(
            f"{scheme.code} has no tier for what was recorded as {', '.join(missing)}. It has: {_codes(scheme)}."
            f" Say which is meant: {options}"
        )
    return targets


def _codes(scheme: Scheme) -> str:
    return ", ".join(tier.code for tier in scheme.tiers)


def _check_rate(scheme: Scheme, lines: Iterable[RateLine], *, tier: str, month: int, year: int) -> None:
    if not any(line.tier == tier and line.first_month <= month <= line.last_month for line in lines):
        first = next(known.rates[0].from_date for known in scheme.tiers if known.code == tier)
        raise RateMissing(
            f"{scheme.code} has no rate for {tier} in {year}-{month:02d}; its rates start on {first}."
            " Take the rates of another year: --as-of YEAR"
        )


def _tier(tier: Tier, code: str, lines: Collection[RateLine], year: int) -> Tier:
    """A tier under a recorded code, with the rates of these lines in the recorded year's months."""
    return replace(
        tier,
        code=code,
        rates=[DatedRate(date(year, line.first_month, 1), line.rate) for line in lines],
        collected=[DatedRate(date(year, line.first_month, 1), line.collected) for line in lines],
    )


def _in_currency(scheme: Scheme, recorded: Scheme, rate: Decimal | None) -> Scheme:
    """The scheme with its amounts in the recorded currency, each rounded to the nearest minor unit."""
    if scheme.currency == recorded.currency:
        if rate is not None:
            raise AssumptionUnused(f"Both schemes count in {scheme.currency}: there is nothing to exchange.")
        return scheme
    if rate is None or rate <= 0:
        raise CurrencyDiffers(
            f"{scheme.code} counts in {scheme.currency}, the recorded year in {recorded.currency}. Say what one"
            f" {scheme.currency} is in {recorded.currency}: --exchange-rate RATE"
        )
    factor = Fraction(rate) * 10**recorded.minor_unit_digits / 10**scheme.minor_unit_digits
    return replace(
        scheme,
        currency=recorded.currency,
        minor_unit_digits=recorded.minor_unit_digits,
        refund=_refund_in_currency(scheme.refund, factor),
    )


def _refund_in_currency(refund: RefundRule, factor: Fraction) -> RefundRule:
    purchase = refund.purchase and replace(
        refund.purchase,
        minimum=_converted(refund.purchase.minimum, factor),
        cap=_converted(refund.purchase.cap, factor),
    )
    limits = [_limit_in_currency(limit, factor) for limit in refund.limits]
    payout = half_up(refund.minimum_payout * factor)
    return replace(refund, purchase=purchase, limits=limits, minimum_payout=payout)


def _limit_in_currency(limit: Limit, factor: Fraction) -> Limit:
    cap = limit.cap and Cap(_converted(limit.cap.amount, factor), limit.cap.attribute)
    least = limit.at_least and AtLeast(limit.at_least.purchases, _converted(limit.at_least.amount, factor))
    return replace(limit, cap=cap, at_least=least)


def _converted(amount: int | None, factor: Fraction) -> int | None:
    return None if amount is None else half_up(amount * factor)


def assumptions_in_words(scheme: Scheme, *, recorded: Scheme, assumed: Assumptions) -> Iterator[Words]:
    """Each assumption as a sentence, for who reads a result."""
    names = {tier.code: tier.name for tier in scheme.tiers}
    own = {tier.code: tier.name for tier in recorded.tiers}
    for tier, target in sorted(assumed.tiers.items()):
        yield Words(
            f"記録の「{own[tier].ja}」には、制度の「{names[target].ja}」の規則を適用しました。",
            f"What was recorded as “{own[tier].en}” is taken as the scheme's “{names[target].en}”.",
        )
    if assumed.as_of:
        yield Words(
            f"制度の{assumed.as_of}年の税率を、記録された年の同じ月に適用しました。",
            f"The scheme's rates of {assumed.as_of} are applied to the same months of the recorded year.",
        )
    if assumed.exchange_rate:
        rate = f"{assumed.exchange_rate:f}"
        yield Words(
            f"制度の金額は1 {scheme.currency}＝{rate} {recorded.currency}で換算し、最小単位に四捨五入しました。",
            f"The scheme's amounts are converted at {rate} {recorded.currency} for 1 {scheme.currency}, each rounded to"
            " the nearest minor unit.",
        )

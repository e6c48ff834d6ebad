"""A scheme file's content: dated tiers and rates and the refund rule, read and validated. Pure.

A tier code implies no rate: the rate of a tier on a day is looked up here and nowhere else.
"""

import hashlib
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

import msgspec

from apps.kernel.errors import KanpuError
from apps.kernel.periods import Period, consecutive
from apps.kernel.rounding import ROUNDING_RULES

TIER_CODE = r"\A[a-z][a-z0-9_]{0,31}\Z"


class SchemeInvalid(KanpuError):
    """The scheme file breaks a rule. The text names the place in the file and the rule."""

    code = "scheme_invalid"


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One text in both languages."""

    ja: str
    en: str


class DatedRate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"from_date": "from"}):
    """A rate and the first day it applies; it applies until the next one starts."""

    from_date: date
    rate: Decimal


class Tier(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tax tier: goods that share a legal rate, which changes by date."""

    code: Annotated[str, msgspec.Meta(pattern=TIER_CODE)]
    name: Words
    examples: Words
    reference: str
    rates: Annotated[list[DatedRate], msgspec.Meta(min_length=1)]


class Cap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The most that is refunded: `amount` in minor units."""

    amount: Annotated[int, msgspec.Meta(ge=0)]
    per: Literal["year"]
    for_: Literal["person"] = msgspec.field(name="for")


class RefundRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a year's spend becomes a refund."""

    basis: Literal["rate_difference"]
    rounding: str
    cap: Cap | None = None


class Scheme(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole scheme file."""

    code: Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9][a-z0-9-]{0,31}\Z")]
    name: Words
    reference: Words
    currency: Annotated[str, msgspec.Meta(pattern=r"\A[A-Z]{3}\Z")]
    minor_unit_digits: Annotated[int, msgspec.Meta(ge=0, le=4)]
    time_zone: str
    filing_deadline: Annotated[str, msgspec.Meta(pattern=r"\A[0-9]{2}-[0-9]{2}\Z")]
    collected: Annotated[list[DatedRate], msgspec.Meta(min_length=1)]
    tiers: Annotated[list[Tier], msgspec.Meta(min_length=1)]
    refund: RefundRule


class RatePeriod(msgspec.Struct, frozen=True):
    """A tier's rate beside the rate collected, for a period in which neither changes."""

    tier: str
    period: Period
    collected: Decimal
    rate: Decimal


def read_scheme(content: Any) -> Scheme:
    """The scheme in a parsed YAML or JSON document.

    Raises SchemeInvalid naming the place (as a JSON path) and the rule that is broken.
    """
    try:
        scheme = msgspec.convert(content, Scheme)
    except msgspec.ValidationError as error:
        raise SchemeInvalid(f"The scheme file is not valid: {error}") from error
    for check in (
        _check_zone,
        _check_rounding,
        _check_deadline,
        _check_tier_codes,
        _check_rates,
        _check_collected,
        _check_surcharge,
    ):
        check(scheme)
    return scheme


def canonical(scheme: Scheme) -> bytes:
    """The scheme as JSON with sorted keys: equal for files that differ in comments and layout only."""
    return msgspec.json.encode(scheme, order="sorted")


def digest(scheme: Scheme) -> str:
    """SHA-256 of the canonical form, in hex: what a refund names as its rules."""
    return hashlib.sha256(canonical(scheme)).hexdigest()


def rate_periods(scheme: Scheme, within: Period) -> list[RatePeriod]:
    """Every (tier, period) of constant rates inside `within`, by tier in the file's order, then by date."""
    found = []
    for tier in scheme.tiers:
        for period, rate in dated(tier.rates):
            for collected_period, collected in dated(scheme.collected):
                shared = period.overlap(collected_period)
                if shared and (inside := shared.overlap(within)):
                    found.append(RatePeriod(tier.code, inside, collected, rate))
    return found


def dated(rates: Sequence[DatedRate]) -> list[tuple[Period, Decimal]]:
    """Each rate with the half-open period in which it applies."""
    return list(zip(consecutive(r.from_date for r in rates), (r.rate for r in rates), strict=True))


def rate_on(rates: Sequence[DatedRate], day: date) -> Decimal | None:
    """The rate that applies on a day, or None before the first."""
    return next((rate for period, rate in dated(rates) if day in period), None)


def _check_zone(scheme: Scheme) -> None:
    if scheme.time_zone not in available_timezones():
        raise SchemeInvalid(f"$.time_zone: {scheme.time_zone!r} is no time zone of the IANA database.")


def _check_rounding(scheme: Scheme) -> None:
    if scheme.refund.rounding not in ROUNDING_RULES:
        known = ", ".join(sorted(ROUNDING_RULES))
        raise SchemeInvalid(f"$.refund.rounding: {scheme.refund.rounding!r} is no rounding rule. Known: {known}.")


def _check_deadline(scheme: Scheme) -> None:
    month, day = map(int, scheme.filing_deadline.split("-"))
    try:
        date(2001, month, day)
    except ValueError as error:
        raise SchemeInvalid(f"$.filing_deadline: {scheme.filing_deadline!r} is no day of every year.") from error


def _check_tier_codes(scheme: Scheme) -> None:
    codes = [tier.code for tier in scheme.tiers]
    if doubled := {code for code in codes if codes.count(code) > 1}:
        raise SchemeInvalid(f"$.tiers: the code {', '.join(sorted(doubled))} stands twice.")


def _check_rates(scheme: Scheme) -> None:
    places = [("$.collected", scheme.collected)] + [(f"$.tiers[{t.code}].rates", t.rates) for t in scheme.tiers]
    for place, rates in places:
        _check_dates(place, [r.from_date for r in rates])
        for dated_rate in rates:
            if not _is_rate(dated_rate.rate):
                raise SchemeInvalid(f"{place}: {dated_rate.rate} is no rate from 0 to below 1 with 6 decimals at most.")


def _is_rate(rate: Decimal) -> bool:
    return rate.is_finite() and 0 <= rate < 1 and rate == round(rate, 6)


def _check_collected(scheme: Scheme) -> None:
    """Without a collected rate a tier's purchases could be taken and never assessed."""
    first = scheme.collected[0].from_date
    for tier in scheme.tiers:
        if tier.rates[0].from_date < first:
            raise SchemeInvalid(f"$.tiers[{tier.code}].rates: no rate is collected before {first}.")


def _check_surcharge(scheme: Scheme) -> None:
    """A tier above the collected rate would be a surcharge, for which a scheme has no rule yet."""
    always = Period(min(scheme.collected[0].from_date, *(tier.rates[0].from_date for tier in scheme.tiers)))
    for found in rate_periods(scheme, always):
        if found.rate > found.collected:
            raise SchemeInvalid(
                f"$.tiers[{found.tier}].rates: {found.rate} is above the rate collected, {found.collected}."
            )


def _check_dates(place: str, starts: list[date]) -> None:
    if starts != sorted(set(starts)):
        raise SchemeInvalid(f"{place}: the dates must ascend, each once.")
    for start in starts:
        if start.day != 1:
            raise SchemeInvalid(f"{place}: {start} — rates change on the first of a month.")

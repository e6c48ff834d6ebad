"""A scheme in lines that an operator reads, in English with the names in both languages. Pure."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from apps.schemes.document import Basis, Cap, Condition, DatedRate, Limit, Scheme, Tier, Words

BASES = {
    "rate_difference": "the rate collected less the tier's rate",
    "share_of_tax": "{share} of the tax",
    "share_of_amount": "{share} of the amount",
}
UNITS = {"person": "a person", "household": "a household", "members": "each member, pooled in a household"}
PERIODS = {"month": "month", "half_year": "half-year", "year": "year"}


def outline(scheme: Scheme) -> Iterator[str]:
    """The lines: name and source, tiers with their rates, the refund rule, limits, appeal and lapse."""
    refund = scheme.refund
    yield _both(scheme.name)
    yield f"source: {scheme.reference.en}"
    yield f"amounts in units of 1/{10**scheme.minor_unit_digits} {scheme.currency}; months of {scheme.time_zone}"
    yield f"taken until {scheme.filing_deadline} of the following year"
    yield f"collected at the till: {_rates(scheme.collected)}"
    for tier in scheme.tiers:
        yield from _tier(tier)
    yield f"what comes back: {_basis(refund.basis, refund.share)}, rounded by {refund.rounding}"
    if refund.surcharge:
        yield f"tiers above the rate collected: {refund.surcharge}"
    if refund.purchase:
        rule = refund.purchase
        yield f"each purchase by itself: rounded by {rule.rounding}{_limits(rule.minimum, rule.cap)}"
    for condition in refund.eligibility:
        yield f"only where {_condition(condition)} ({condition.reference.en})"
    for limit in refund.limits:
        yield f"{_limit(limit)} ({limit.reference.en})"
    if refund.minimum_payout:
        yield f"paid from {refund.minimum_payout:,}"
    if refund.paid:
        yield f"paid: {refund.paid.en}"
    yield f"appeal: to {scheme.appeal.to.en}, within {scheme.appeal.within_months} months ({scheme.appeal.basis.en})"
    yield f"lapse: after {scheme.lapse.after_years} years ({scheme.lapse.reference.en})"
    yield f"purchases are kept for {scheme.retention_years} years from the end of the deadline's year"


def _both(words: Words) -> str:
    return f"{words.en} / {words.ja}"


def _tier(tier: Tier) -> Iterator[str]:
    yield f"tier {tier.code}, {_both(tier.name)}: {_rates(tier.rates)}"
    if tier.collected and tier.collected != tier.rates:
        yield f"  collected: {_rates(tier.collected)}"
    if tier.refund:
        yield f"  comes back: {_basis(tier.refund.basis, tier.refund.share)}"
    yield f"  {tier.examples.en} ({tier.reference})"


def _rates(rates: Sequence[DatedRate]) -> str:
    return ", ".join(f"{_percent(dated.rate)} from {dated.from_date}" for dated in rates)


def _percent(share: Decimal) -> str:
    return f"{(share * 100).normalize():f} %"


def _basis(basis: Basis, share: Decimal | None) -> str:
    return BASES[basis].format(share=_percent(share or Decimal(0)))


def _limits(minimum: int | None, cap: int | None) -> str:
    return (f", from {minimum:,}" if minimum is not None else "") + (f", at most {cap:,}" if cap is not None else "")


def _condition(condition: Condition) -> str:
    if condition.equals is not None:
        return f"{condition.attribute} is {condition.equals}"
    if condition.at_most is not None:
        return f"{condition.attribute} is at most {condition.at_most:,}"
    return f"{condition.attribute} is at least {condition.at_least:,}"


def _limit(limit: Limit) -> str:
    unit = f"{UNITS[limit.unit]} and {PERIODS[limit.per]}"
    if limit.cap:
        return f"at most {_cap(limit.cap)} for {unit}"
    least = limit.at_least
    spend = f"a spend of {least.amount:,}" if least and least.amount is not None else ""
    count = f"{least.purchases:,} purchases" if least and least.purchases is not None else ""
    return f"nothing below {' and '.join(filter(None, (count, spend)))} for {unit}"


def _cap(cap: Cap) -> str:
    return cap.attribute or f"{cap.amount or 0:,}"

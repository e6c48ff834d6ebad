"""A scheme file's content: dated tiers and rates and the refund rule. Pure; docs/refund-rules.md says what it means.

A tier code implies no rate: the rate of a tier on a day is data, here and nowhere else.
"""

import hashlib
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

TIER_CODE = r"\A[a-z][a-z0-9_]{0,31}\Z"
ATTRIBUTE = r"\Aattr_[a-z0-9_]{1,27}\Z"

TierCode = Annotated[
    str, msgspec.Meta(pattern=TIER_CODE, description="small letters, digits and _, a letter first, at most 32")
]
Attribute = Annotated[
    str, msgspec.Meta(pattern=ATTRIBUTE, description="attr_ and then small letters, digits and _, at most 27")
]
SchemeCode = Annotated[
    str,
    msgspec.Meta(pattern=r"\A[a-z0-9][a-z0-9-]{0,31}\Z", description="small letters, digits and -, at most 32"),
]
Currency = Annotated[str, msgspec.Meta(pattern=r"\A[A-Z]{3}\Z", description="the three letters of ISO 4217, as JPY")]
MonthDay = Annotated[
    str, msgspec.Meta(pattern=r"\A[0-9]{2}-[0-9]{2}\Z", description='month and day in quotes, as "03-15"')
]
Whole = Annotated[int, msgspec.Meta(ge=0)]
Basis = Literal["rate_difference", "share_of_tax", "share_of_amount"]
Level = Literal["month", "half_year", "year"]


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One text in both languages."""

    ja: str
    en: str


class DatedRate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"from_date": "from"}):
    """A rate and the first day it applies; it applies until the next one starts."""

    from_date: date
    rate: Decimal


class TierRefund(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tier's own basis and share, where they are not the scheme's."""

    basis: Basis
    share: Decimal | None = None


class Tier(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A tax tier: goods that share a legal rate, which changes by date. `collected`: its own, where it has one."""

    code: TierCode
    name: Words
    examples: Words
    reference: str
    rates: Annotated[list[DatedRate], msgspec.Meta(min_length=1)]
    collected: Annotated[list[DatedRate], msgspec.Meta(min_length=1)] | None = None
    refund: TierRefund | None = None


class PurchaseRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What each purchase brings, before purchases are added up. Amounts in minor units."""

    rounding: str
    minimum: Whole | None = None
    cap: Whole | None = None


class Cap(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The most that is refunded, in minor units: an amount, or what an attribute of the resident says."""

    amount: Whole | None = None
    attribute: Attribute | None = None


class AtLeast(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What must be reached for a refund at all: a number of purchases, a spend in minor units."""

    purchases: Whole | None = None
    amount: Whole | None = None


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, rename={"unit": "for"}):
    """A cap or a threshold for a unit and a period. `reference` is its legal basis."""

    per: Level
    unit: Literal["person", "household", "members"]
    reference: Words
    cap: Cap | None = None
    at_least: AtLeast | None = None


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Who gets a refund: residents whose attribute is at most, at least, or equal to a value."""

    attribute: Attribute
    reference: Words
    at_most: int | None = None
    at_least: int | None = None
    equals: str | None = None


class RefundRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a year's spend becomes a refund."""

    basis: Basis
    rounding: str
    share: Decimal | None = None
    surcharge: Literal["offset", "ignore"] | None = None
    purchase: PurchaseRule | None = None
    eligibility: list[Condition] = []
    limits: list[Limit] = []
    minimum_payout: Whole = 0
    paid: Words | None = None


class Appeal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where and how long a decision can be appealed against."""

    to: Words
    basis: Words
    within_months: Annotated[int, msgspec.Meta(ge=1, le=60)]


class Lapse(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a refund that nobody claims is lost."""

    after_years: Annotated[int, msgspec.Meta(ge=1, le=30)]
    reference: Words


class Scheme(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A whole scheme file. `retention_years`: how long purchases are kept from the end of the deadline's year on."""

    code: SchemeCode
    name: Words
    reference: Words
    currency: Currency
    minor_unit_digits: Annotated[int, msgspec.Meta(ge=0, le=4)]
    time_zone: str
    filing_deadline: MonthDay
    collected: Annotated[list[DatedRate], msgspec.Meta(min_length=1)]
    tiers: Annotated[list[Tier], msgspec.Meta(min_length=1)]
    refund: RefundRule
    appeal: Appeal
    lapse: Lapse
    retention_years: Annotated[int, msgspec.Meta(ge=1, le=100)] = 7


def canonical(scheme: Scheme) -> bytes:
    """The scheme as JSON with sorted keys: equal for files that differ in comments and layout only."""
    return msgspec.json.encode(scheme, order="sorted")


def digest(scheme: Scheme) -> str:
    """SHA-256 of the canonical form, in hex: what a refund names as its rules."""
    return hashlib.sha256(canonical(scheme)).hexdigest()


def measures_purchases(scheme: Scheme) -> bool:
    """Whether totals must say what each purchase brings or how many purchases there were."""
    counts = any(limit.at_least and limit.at_least.purchases is not None for limit in scheme.refund.limits)
    return scheme.refund.purchase is not None or counts


def year_cap_minor(scheme: Scheme) -> int | None:
    """The most that a resident alone can get in a year, in minor units, where the scheme has such a cap."""
    caps = [
        limit.cap.amount
        for limit in scheme.refund.limits
        if limit.cap and (limit.per, limit.unit) == ("year", "person")
    ]
    return min((cap for cap in caps if cap is not None), default=None)


def asks_the_register(scheme: Scheme) -> bool:
    """Whether the refund depends on households or on attributes of residents."""
    refund = scheme.refund
    return bool(refund.eligibility) or any(
        limit.unit != "person" or (limit.cap is not None and limit.cap.attribute is not None) for limit in refund.limits
    )

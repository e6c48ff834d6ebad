"""The tax tiers of a day, and what a purchase is expected to give back. Pure; no float."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kanpu_pos.fields import Lines
from kanpu_pos.shape import UnexpectedAnswerError, count_in, json_of, list_of, object_of, text_in

DEFAULT_TIME_ZONE: Final = "Asia/Tokyo"  # of a scheme whose answer names none


@dataclass(frozen=True, slots=True)
class Tier:
    """A tier's legal rate and its names by language (`ja`, `en`)."""

    rate: Fraction
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiers:
    """The tiers in force on a day, by code. `collected` is the rate that everyone pays at the till.

    `zone` is the scheme's time zone: it says to which tax year a moment belongs. `document` is the answer as it
    came, for keeping.
    """

    on: date
    currency: str
    minor_unit_digits: int
    collected: Fraction
    zone: ZoneInfo
    tiers: Mapping[str, Tier]
    document: bytes = field(repr=False, compare=False)

    @classmethod
    def from_json(cls, body: bytes) -> "Tiers":
        """Return the tiers of an answer of `GET /v1/tiers`; raises UnexpectedAnswerError."""
        answer = object_of(json_of(body), "answer")
        try:
            return cls(
                on=date.fromisoformat(text_in(answer, "on")),
                currency=text_in(answer, "currency"),
                minor_unit_digits=count_in(answer, "minor_unit_digits"),
                collected=Fraction(text_in(answer, "collected")),
                zone=ZoneInfo(str(answer.get("time_zone") or DEFAULT_TIME_ZONE)),
                tiers=dict(_tier(row) for row in list_of(answer.get("tiers"), "tiers")),
                document=body,
            )
        except (ValueError, ZeroDivisionError, ZoneInfoNotFoundError) as error:
            raise UnexpectedAnswerError(f"GET /v1/tiers did not answer with tiers: {error}") from error


def tax_year(at: datetime, zone: ZoneInfo) -> int:
    """Return the tax year of an aware time: the calendar year in the scheme's time zone."""
    return at.astimezone(zone).year


def expected_refund_minor(lines: Lines, tiers: Tiers) -> int | None:
    """Return about how much a purchase gives back, in minor units, or None when a tier is not among `tiers`.

    amount x (collected - rate) / (1 + collected), summed and rounded down: prices include the tax that was
    collected. The year's cap and the year's own rounding are not known at the till, hence "about".
    """
    total = Fraction(0)
    for code, amount_minor in lines:
        tier = tiers.tiers.get(code)
        if tier is None:
            return None
        total += amount_minor * (tiers.collected - tier.rate) / (1 + tiers.collected)
    return int(total // 1)


def money_text(amount_minor: int, tiers: Tiers) -> str:
    """Return an amount for people: `¥1,080`, `EUR 10.80`."""
    sign, digits = "-" if amount_minor < 0 else "", tiers.minor_unit_digits
    whole, part = divmod(abs(amount_minor), 10**digits)
    number = f"{whole:,}" + (f".{part:0{digits}d}" if digits else "")
    return f"{sign}¥{number}" if tiers.currency == "JPY" else f"{sign}{tiers.currency} {number}"


def _tier(value: object) -> tuple[str, Tier]:
    row = object_of(value, "tiers")
    names = object_of(row.get("name"), "name")
    return text_in(row, "code"), Tier(Fraction(text_in(row, "rate")), {name: str(text) for name, text in names.items()})

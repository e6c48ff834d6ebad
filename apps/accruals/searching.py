"""What a resident's purchases are searched by, and how each of them stands. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from apps.accruals.answers import ANSWERABLE
from apps.purchases.records import FOLLOWING
from apps.purchases.rulings import Ruling

TAKE_OFF: Final = frozenset({Ruling.HOLD, Ruling.REJECT, Ruling.DENY, Ruling.ANNUL})


class Standing(StrEnum):
    """How a purchase stands, exactly one of these.

    `corrected`: it counts as what is left of it after returns, voids and corrections, which may be nothing. `held`: the
    resident is asked whether it is theirs. `waiting`: an office looks at it.
    """

    COUNTED = "counted"
    CORRECTED = "corrected"
    HELD = "held"
    WAITING = "waiting"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Search:
    """What purchases must have, all of it: None and '' do not matter.

    Times are half-open; amounts are of all tiers together, in minor units, both ends included; `tier`: something of it
    is left; `shop`: a part of the shop's or its merchant's name, in whatever case and width.
    """

    since: datetime | None = None
    before: datetime | None = None
    least_minor: int | None = None
    most_minor: int | None = None
    shop: str = ""
    tier: str = ""
    standing: str = ""


def withheld_standing(status: str, code: str) -> Standing:
    """How a purchase stands that is not counted, by what its verdict is."""
    if status != "held":
        return Standing.REJECTED
    return Standing.HELD if code in ANSWERABLE else Standing.WAITING


class Booked(NamedTuple):
    """What an entry books of a sale: see models.Entry."""

    kind: str
    tax_year: int
    at: datetime
    tiers: Sequence[str]
    amounts_minor: Sequence[int]


class Folded(NamedTuple):
    """A counted sale as its entries leave it. `is_listed`: one of which nothing is left in two years stands in none."""

    tax_year: int
    at: datetime
    standing: Standing
    left: dict[str, int]
    is_listed: bool


def folded(entries: Sequence[Booked]) -> Folded:
    """What all entries of a sale, one at least, come to: the same as the database's search folds them to.

    It stands at the time of which something is left, or else at the latest that it had.
    """
    places: dict[tuple[int, datetime], dict[str, int]] = {}
    for entry in entries:
        amounts = places.setdefault((entry.tax_year, entry.at), {})
        for tier, amount in zip(entry.tiers, entry.amounts_minor, strict=True):
            amounts[tier] = amounts.get(tier, 0) + amount
    left = {place: {tier: amount for tier, amount in of_one.items() if amount} for place, of_one in places.items()}
    place = max(left, key=lambda place: (bool(left[place]), place[1]))
    here = [entry for entry in entries if (entry.tax_year, entry.at) == place]
    is_listed = bool(left[place]) or len({year for year, _ in places}) == 1
    return Folded(*place, _standing(here, left[place]), left[place], is_listed)


def _standing(here: Sequence[Booked], left: Mapping[str, int]) -> Standing:
    kinds = {entry.kind for entry in here}
    if not left and kinds & TAKE_OFF and "void" not in kinds:
        return Standing.REJECTED
    sold = sum(sum(entry.amounts_minor) for entry in here if entry.kind == "sale")
    return Standing.CORRECTED if kinds & FOLLOWING or sum(left.values()) != sold else Standing.COUNTED

"""What a card's state at the purchase's time, and its holder's residence on the day, make of the purchase. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID


class Verdict(StrEnum):
    """What becomes of a purchase."""

    COUNTED = "counted"
    HELD = "held"
    REJECTED = "rejected"


Span = tuple[datetime, datetime | None]
Days = tuple[date, date]


class CardRecord(NamedTuple):
    """A card and its holder as the register knows them. Times are half-open: valid up to before `valid_until`.

    `active_from` is None while the card was not handed over. `suspended` and `paused` are spans of time whose end may
    be None: when the card was out of its holder's hands, and when the holder wanted nothing recorded. The holder is
    resident up to before the day `resident_to`, or still, where that is None; and was in `earlier` times.
    """

    card: int
    resident_ref: UUID
    mode: str
    issuer_version: int
    valid_from: datetime
    valid_until: datetime
    active_from: datetime | None
    replaced_from: datetime | None
    resident_from: date
    resident_to: date | None
    earlier: tuple[Days, ...] = ()
    suspended: tuple[Span, ...] = ()
    paused: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, with the protocol's code where it is not `counted`.

    `is_remembered`: a sale that is not counted is kept with its resident. What is bought during a pause is not.
    """

    verdict: Verdict
    code: str = ""
    is_remembered: bool = True


COUNTED = Judgement(Verdict.COUNTED)
CARD_NOT_VALID = Judgement(Verdict.REJECTED, "card_not_valid")
PAUSED = Judgement(Verdict.REJECTED, "card_not_valid", is_remembered=False)
CARD_UNKNOWN = Judgement(Verdict.REJECTED, "card_unknown")
CRYPTOGRAM_WRONG = Judgement(Verdict.REJECTED, "cryptogram_wrong")
CARD_CLONED = Judgement(Verdict.HELD, "card_cloned")


def judge_card(card: CardRecord, at: datetime, day: date) -> Judgement:
    """The verdict of the card's state at the time of purchase `at` (aware), its cryptogram being right.

    `day` is that of the purchase in the scheme's time zone: who was not resident then has no card to pay with.
    """
    if card.paused and _within(at, card.paused):  # first of all: it leaves no trace, whatever else the card is
        return PAUSED
    is_active = card.active_from is not None and card.active_from <= at and card.valid_from <= at < card.valid_until
    if not is_active or not is_resident(day, card.resident_from, card.resident_to, card.earlier):
        return CARD_NOT_VALID
    if card.replaced_from and card.replaced_from <= at:
        return Judgement(Verdict.HELD, "card_replaced")
    if card.suspended and _within(at, card.suspended):
        return Judgement(Verdict.HELD, "card_suspended")
    return COUNTED


def _within(at: datetime, spans: tuple[Span, ...]) -> bool:
    return any(start <= at and (end is None or at < end) for start, end in spans)


def is_resident(day: date, resident_from: date, resident_to: date | None, earlier: Iterable[Days] = ()) -> bool:
    """Whether a day lies in a time of residence, the latest or an earlier one; the second day is the first after it."""
    is_latest = resident_from <= day and (resident_to is None or day < resident_to)
    return is_latest or any(start <= day < end for start, end in earlier)

"""What a card's state at the purchase's time, and its holder's residence on the day, make of the purchase. Pure."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID


class Verdict(StrEnum):
    """What becomes of a purchase."""

    COUNTED = "counted"
    HELD = "held"
    REJECTED = "rejected"


Span = tuple[datetime, datetime | None]


@dataclass(frozen=True, slots=True)
class CardRecord:
    """A card and its holder as the register knows them. Times are half-open: valid up to before `valid_until`.

    `active_from` is None while the card was not handed over. `suspended` and `paused` are spans of time whose end may
    be None: when the card was out of its holder's hands, and when the holder wanted nothing recorded. The holder is
    resident up to before the day `resident_to`, or still, where that is None.
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
    if _within(at, card.paused):  # first of all: it leaves no trace, whatever else the card is
        return PAUSED
    if not card.valid_from <= at < card.valid_until or not is_resident(day, card.resident_from, card.resident_to):
        return CARD_NOT_VALID
    if card.active_from is None or at < card.active_from:
        return CARD_NOT_VALID
    if card.replaced_from and card.replaced_from <= at:
        return Judgement(Verdict.HELD, "card_replaced")
    if _within(at, card.suspended):
        return Judgement(Verdict.HELD, "card_suspended")
    return COUNTED


def _within(at: datetime, spans: tuple[Span, ...]) -> bool:
    return any(start <= at and (end is None or at < end) for start, end in spans)


def is_resident(day: date, resident_from: date, resident_to: date | None) -> bool:
    """Whether a day lies in a time of residence, `resident_to` being the first day after it."""
    return resident_from <= day and (resident_to is None or day < resident_to)

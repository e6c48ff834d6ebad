"""What a card's state at the purchase's time makes of the purchase. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Verdict(StrEnum):
    """What becomes of a purchase."""

    COUNTED = "counted"
    HELD = "held"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class CardRecord:
    """A card as the register knows it. Times are half-open: valid from `valid_from` up to before `valid_until`."""

    card: int
    resident_ref: UUID
    mode: str
    issuer_version: int
    valid_from: datetime
    valid_until: datetime
    suspended_from: datetime | None
    replaced_from: datetime | None


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, with the protocol's code where it is not `counted`."""

    verdict: Verdict
    code: str = ""


COUNTED = Judgement(Verdict.COUNTED)
CARD_UNKNOWN = Judgement(Verdict.REJECTED, "card_unknown")
CRYPTOGRAM_WRONG = Judgement(Verdict.REJECTED, "cryptogram_wrong")
CARD_CLONED = Judgement(Verdict.HELD, "card_cloned")


def judge_card(card: CardRecord, at: datetime) -> Judgement:
    """The verdict of the card's state at the time of purchase `at` (aware), its cryptogram being right."""
    if not card.valid_from <= at < card.valid_until:
        return Judgement(Verdict.REJECTED, "card_not_valid")
    if card.replaced_from and card.replaced_from <= at:
        return Judgement(Verdict.HELD, "card_replaced")
    if card.suspended_from and card.suspended_from <= at:
        return Judgement(Verdict.HELD, "card_suspended")
    return COUNTED

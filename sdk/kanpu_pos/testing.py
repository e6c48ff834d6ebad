"""The published test cards: what a developer taps instead of a resident's card."""

from dataclasses import dataclass

from kanpu_pos.card import CardError, VirtualCard
from kanpu_pos.shape import UnexpectedAnswerError, object_of, text_in, text_or_none


@dataclass(frozen=True, slots=True, kw_only=True)
class TestCard:
    """A test card: its `name`, the card, the status (and code) its purchases end with, and what it is for."""

    __test__ = False  # no test, though its name begins like one

    name: str
    card: VirtualCard
    expected_status: str
    expected_code: str | None
    purpose: str

    @classmethod
    def from_row(cls, value: object) -> "TestCard":
        """Return the card of one object of `GET /v1/test/cards`; raises UnexpectedAnswerError."""
        row = object_of(value, "cards")
        expect, purpose = object_of(row.get("expect"), "expect"), object_of(row.get("purpose"), "purpose")
        try:
            card = VirtualCard.from_hex(text_in(row, "card_id"), text_in(row, "card_key"))
        except CardError as error:
            raise UnexpectedAnswerError(f"a test card that is none: {error}") from error
        return cls(
            name=text_in(row, "name"),
            card=card,
            expected_status=text_in(expect, "status"),
            expected_code=text_or_none(expect.get("code")),
            purpose=text_in(purpose, "en"),
        )

"""What a resident says of a sale that was held, and how that changes the verdict. Pure."""

from typing import Final

from apps.residents.judging import CARD_CLONED, CARD_NOT_VALID, COUNTED, Judgement, Verdict

CONFIRMED: Final = "confirmed"
DENIED: Final = "denied"
# A copied card is the auditors' matter: which of two uses was the holder's, the holder cannot know from a receipt.
ANSWERABLE: Final = frozenset({"card_suspended", "card_replaced"})


def answered(judgement: Judgement, answer: str) -> Judgement:
    """The verdict after the holder's answer, if there is one.

    The holder says who bought. That somebody was not resident on the day, or that the card was not valid, stays so.
    """
    if judgement.verdict is Verdict.HELD and judgement.code in ANSWERABLE and answer:
        return COUNTED if answer == CONFIRMED else CARD_NOT_VALID
    if judgement == COUNTED and answer == DENIED:
        return CARD_NOT_VALID
    return judgement


def is_to_be_judged(judgement: Judgement, status: str, code: str) -> bool:
    """Whether a sale that stands at `status` and `code` has another verdict now.

    A second use of a counter stays one, whatever becomes of its card.
    """
    if code == CARD_CLONED.code:
        return False
    return (judgement.verdict, judgement.code) != (status, code)

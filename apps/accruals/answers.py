"""What a resident says of a sale that was held, or auditors of any, and how that changes the verdict. Pure."""

from typing import Final

from apps.residents.judging import CARD_CLONED, CARD_NOT_VALID, COUNTED, Judgement, Verdict

CONFIRMED: Final = "confirmed"
DENIED: Final = "denied"
ANNULLED: Final = "annulled"  # by two auditors: what the resident says changes nothing any more
OFF: Final = frozenset({DENIED, ANNULLED})
# A copied card is the auditors' matter: which of two uses was the holder's, the holder cannot know from a receipt.
ANSWERABLE: Final = frozenset({"card_suspended", "card_replaced"})


def asks(code: str, answer: str) -> bool:
    """Whether the resident may say, or say otherwise, of a sale that stands at `code` that it is theirs or not."""
    return code != CARD_CLONED.code and answer != ANNULLED and bool(answer or code in ANSWERABLE)


def verdict(judgement: Judgement, *, code: str, answer: str) -> Judgement:
    """What becomes of a sale that its card and its holder's days are judged by, and that stands at `code`.

    Who bought what was held is said by the holder's answer, if there is one; that somebody was not resident on the day,
    or that the card was not valid, stays so. A second use of a counter stays one, whatever becomes of its card.
    """
    if code == CARD_CLONED.code:
        return CARD_CLONED
    if judgement.verdict is Verdict.HELD and judgement.code in ANSWERABLE and answer:
        return COUNTED if answer == CONFIRMED else CARD_NOT_VALID
    if judgement == COUNTED and answer in OFF:
        return CARD_NOT_VALID
    return judgement

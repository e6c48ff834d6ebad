"""What a bank's word about an attempt does to it, in whatever order words come. Pure.

This is what a rail is, for the rest: it takes obligations that are due (`operations.claiming`), sends them, and reports
a word for each reference (`operations.results`). Nothing here knows how the money goes.
"""

from enum import StrEnum
from typing import Final

DRAFT, APPROVED, SUBMITTED, SENT = "draft", "approved", "submitted", "sent"
PAID, FAILED, RETURNED = "paid", "failed", "returned"
REISSUED, DROPPED = "reissued", "dropped"
IN_FLIGHT: Final = (DRAFT, APPROVED, SUBMITTED, SENT)
WITH_BANK: Final = (SUBMITTED, SENT)  # what is submitted may be with the bank: nobody knows until it is sent
WORDS: Final = (PAID, FAILED, RETURNED)


class Verdict(StrEnum):
    """What a word does."""

    APPLIED = "applied"
    SAME = "same"
    OLDER = "older"
    CONTRADICTS = "contradicts"
    NOT_SENT = "not_sent"


def judge(state: str, known: str, word: str) -> Verdict:
    """What `word` does to an attempt in `state` of which the bank said `known` last ("" for nothing yet).

    Paid, then returned is how money comes back; paid after returned is the older word that comes late. Paid and failed
    exclude each other: which of the two is true a person finds out, and nothing is done meanwhile.
    """
    if not known:
        return Verdict.APPLIED if state in WITH_BANK else Verdict.NOT_SENT
    if word == known:
        return Verdict.SAME
    if (known, word) == (PAID, RETURNED):
        return Verdict.APPLIED
    return Verdict.OLDER if (known, word) == (RETURNED, PAID) else Verdict.CONTRADICTS

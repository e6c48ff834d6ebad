"""What is to be done next about a call to Stripe, and where an answer takes a payment. Pure.

Stripe forgets an idempotency key some time after a day. Until then the same call with the same key is harmless; after
that it would be made again. An error 500 is kept with its key: whether something was made, only a look tells.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from apps.payouts.outcomes import FAILED, PAID, RETURNED


class Step(StrEnum):
    """What is next for a payment. ASK: the payout is made, and is asked after."""

    ACCOUNT = "account"
    TRANSFER = "transfer"
    PAYOUT = "payout"
    ASK = "ask"
    REVERSAL = "reversal"
    OVER = "over"


class Move(StrEnum):
    """What is done about a call."""

    CALL = "call"
    SEARCH = "search"
    WAIT = "wait"


class Fate(StrEnum):
    """What an answer says. NOTHING: nothing was made, another key helps. LATER: the same, but not soon. AGAIN: nobody
    knows, the same key helps. UNDECIDED: nobody knows, and the key only repeats it. REFUSED: nothing was made, nor
    ever will be.
    """

    MADE = "made"
    NOTHING = "nothing"
    LATER = "later"
    AGAIN = "again"
    UNDECIDED = "undecided"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Answer:
    """What Stripe said: `remote_id` of what was made, `external_id` of a connected account's bank account, `status`
    of a payout, and `code` of the error or of the payout's failure.
    """

    fate: Fate
    code: str = ""
    remote_id: str = ""
    external_id: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long things take with Stripe. `keys_for`: how long a key surely repeats its first answer (they are pruned
    after 24 hours); `settle`: how long after an error 500 a look finds what was made in spite of it; `again`: before
    what must wait is tried again; `ask_every` and `watch_every`: how often a payout in flight, and one that is paid, is
    asked after without a webhook; `watch_for`: how long a paid one may still fail.
    """

    keys_for: timedelta = timedelta(hours=23)
    settle: timedelta = timedelta(minutes=1)
    again: timedelta = timedelta(minutes=1)
    ask_every: timedelta = timedelta(hours=1)
    watch_every: timedelta = timedelta(days=1)
    watch_for: timedelta = timedelta(days=14)


class Standing(NamedTuple):
    """Where a payment stands: its next step and when, the payout's status, why it is taken back, and the word that is
    said of the attempt now.
    """

    step: Step
    next_at: datetime
    status: str
    refusal: str
    word: str = ""


USUAL: Final = Patience()
RANKS: Final = {"": 0, "pending": 1, "in_transit": 2, "paid": 3, "failed": 4, "canceled": 4}
LOST: Final = ("failed", "canceled")
FOLLOWS: Final = {Step.ACCOUNT: Step.TRANSFER, Step.TRANSFER: Step.PAYOUT, Step.PAYOUT: Step.ASK}


def move(key_at: datetime, search_at: datetime | None, *, now: datetime, patience: Patience) -> Move:
    """What to do about a call whose outcome is not known, asked first at `key_at`."""
    if search_at is not None:
        return Move.SEARCH if now >= search_at else Move.WAIT
    return Move.CALL if now < key_at + patience.keys_for else Move.SEARCH


def newer(known: str, found: str) -> str:
    """The later one of two statuses of a payout: what was paid may fail, and nothing goes the other way."""
    return found if RANKS[found] > RANKS[known] else known


def after(before: Standing, answer: Answer, *, said: str, now: datetime, patience: Patience) -> Standing:
    """Where an answer takes a payment of whose attempt `said` was said last.

    A payout that is lost says so only once its money is back with us: until then it is not paid again.
    """
    if answer.fate == Fate.MADE:
        return _made(before, answer, said, now, patience)
    if answer.fate == Fate.REFUSED and before.step in FOLLOWS:
        refused = before._replace(refusal=answer.code, next_at=now)
        if before.step == Step.PAYOUT:
            return refused._replace(step=Step.REVERSAL)
        return refused._replace(step=Step.OVER, word=FAILED)
    pauses = {Fate.UNDECIDED: patience.settle, Fate.LATER: patience.ask_every, Fate.REFUSED: patience.ask_every}
    return before._replace(next_at=now + pauses.get(answer.fate, patience.again))


def _made(before: Standing, answer: Answer, said: str, now: datetime, patience: Patience) -> Standing:
    if before.step == Step.REVERSAL:
        return before._replace(step=Step.OVER, word=RETURNED if said == PAID else FAILED)
    if before.step != Step.ASK:
        is_on_its_way = before.step == Step.PAYOUT and answer.status in ("pending", "in_transit")
        pause = patience.ask_every if is_on_its_way else timedelta(0)
        return before._replace(step=FOLLOWS[before.step], next_at=now + pause)
    status = newer(before.status, answer.status)
    if status in LOST:
        return Standing(Step.REVERSAL, now, status, answer.code or status)
    if status == PAID:
        return Standing(Step.ASK, now + patience.watch_every, status, "", "" if said == PAID else PAID)
    return Standing(Step.ASK, now + patience.ask_every, status, "")

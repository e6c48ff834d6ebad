"""Calls to Stripe that make something: on record with their key before they are made, and made once."""

import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from typing import Any, Final

import stripe
from django.conf import settings
from django.db import connection, transaction

from apps.payouts.models import StripeCall
from apps.payouts.stripe_connect.answers import made, meaning
from apps.payouts.stripe_connect.keys import check_key, client_for
from apps.payouts.stripe_connect.moves import Answer, Fate, Move, Patience, Step, move

logger = logging.getLogger(__name__)
STRIPE_LOCK: Final = 20150909  # the class of the advisory lock of whoever calls Stripe
AT_THE_SAME_TIME: Final = 8
Made = Callable[[str], Any]
Found = Callable[[datetime], Any]


@dataclass(frozen=True, slots=True)
class Wish:
    """Something to be made once: of which subject and step, how with a key, and how it is found that it was made."""

    subject: str
    step: Step
    make: Made
    find: Found


@dataclass(frozen=True, slots=True)
class Turn:
    """What is done about a wish now, on the record of its call."""

    wish: Wish
    call: StripeCall
    move: Move


def stripe_client() -> stripe.StripeClient:
    """Stripe's library with the key of this host. Raises what `check_key` raises."""
    key, url = settings.KANPU_STRIPE_KEY, settings.KANPU_STRIPE_URL
    check_key(key, url, production=settings.PRODUCTION)
    return _client(key, url)


@lru_cache(maxsize=1)
def _client(key: str, url: str) -> stripe.StripeClient:
    return client_for(key, url)


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """While the block runs nobody else calls Stripe: who looks whether a call made something must know that it is over.

    The lock is the database session's: it ends with the process that holds it.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, 0)", [STRIPE_LOCK])
    try:
        yield
    finally:
        if connection.connection and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, 0)", [STRIPE_LOCK])


def turns(wishes: Sequence[Wish], *, now: datetime, patience: Patience) -> list[Turn]:
    """What is done about each wish, its key on record when this returns: the one it has, or a new one."""
    subjects, steps = {wish.subject for wish in wishes}, {wish.step for wish in wishes}
    open_calls = StripeCall.objects.filter(subject__in=subjects, step__in=steps).exclude(answer="nothing")
    known = {(call.subject, call.step): call for call in open_calls}
    new = {
        (wish.subject, wish.step): StripeCall(key=uuid.uuid4(), subject=wish.subject, step=wish.step, at=now)
        for wish in wishes
        if (wish.subject, wish.step) not in known
    }
    keep_keys(new.values())
    calls = known | new
    return [_turn(wish, calls[wish.subject, wish.step], now, patience) for wish in wishes]


def keep_keys(calls: Iterable[StripeCall]) -> None:
    """Put new calls on record, before any of them is made."""
    with transaction.atomic():
        StripeCall.objects.bulk_create(calls)


def _turn(wish: Wish, call: StripeCall, now: datetime, patience: Patience) -> Turn:
    return Turn(wish, call, move(call.at, call.search_at, now=now, patience=patience))


def take_turns(chosen: Sequence[Turn]) -> list[Answer]:
    """Ask Stripe, some at the same time; an answer for each. Nothing is read or written here."""
    return at_the_same_time([partial(_take, turn) for turn in chosen])


def at_the_same_time(questions: Sequence[Callable[[], Answer]]) -> list[Answer]:
    """The answers of all, in order; errors of Stripe's library are answers."""
    with ThreadPoolExecutor(AT_THE_SAME_TIME) as pool:
        return list(pool.map(answer_of, questions))


def answer_of(question: Callable[[], Answer]) -> Answer:
    """What was answered, an error as what it means."""
    try:
        return question()
    except stripe.StripeError as error:
        answer = meaning(error)
        logger.info("Stripe: %s, %s (%s)", answer.fate, answer.code, error.http_status)
        return answer


def _take(turn: Turn) -> Answer:
    if turn.move == Move.WAIT:
        return Answer(Fate.UNDECIDED, turn.call.code)
    if turn.move == Move.SEARCH:
        return _look(turn)
    return made(turn.wish.make(str(turn.call.key)))


def _look(turn: Turn) -> Answer:
    """Whether an earlier call made something. An error leaves it undecided: it is looked for again."""
    try:
        found = turn.wish.find(turn.call.at)
    except stripe.StripeError as error:
        return Answer(Fate.AGAIN, meaning(error).code)
    return made(found) if found else Answer(Fate.NOTHING, turn.call.code or "key_expired")


def keep_answers(taken: Sequence[tuple[Turn, Answer]], *, now: datetime, patience: Patience) -> None:
    """Keep what Stripe answered, in the caller's transaction, together with what follows from it."""
    for turn, answer in taken:
        call = turn.call
        call.code = answer.code[:60]
        if answer.fate == Fate.MADE:
            call.answer, call.remote_id, call.code = "made", answer.remote_id, ""
        elif answer.fate in (Fate.NOTHING, Fate.LATER, Fate.REFUSED):
            call.answer = "nothing"
        elif answer.fate == Fate.UNDECIDED and call.search_at is None:
            call.search_at = now + patience.settle
    StripeCall.objects.bulk_update(
        [turn.call for turn, _ in taken], ["answer", "remote_id", "code", "search_at"], batch_size=1_000
    )

"""A resident's answer about purchases that were held because the card was lost or replaced: mine, or not mine."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction

from apps.accruals.answers import CONFIRMED, DENIED, asks
from apps.accruals.operations.accounts import Kept, accounts_of
from apps.accruals.operations.posting import begin_judging, hold_years
from apps.accruals.operations.settling import Settling
from apps.accruals.operations.withdrawing import PurchaseMissing
from apps.audit.operations import record_event
from apps.kernel.database import Cursor, raw_connection
from apps.kernel.errors import KanpuError
from apps.purchases.acceptance import YearRules
from apps.purchases.following import Key
from apps.purchases.followups import Thread, lock_threads
from apps.purchases.queries import year_rules

AT_MOST = 500  # sales answered for at once
LARGEST = 2**31 - 1  # of a terminal's number and of a record's


class AnswerFinal(KanpuError):
    """The filing deadline of the purchase's year is over: an answer that was given stands."""

    code = "answer_final"


class TooManyAnswers(KanpuError):
    """More purchases than can be answered for at once."""

    code = "too_many_answers"


class Answered(NamedTuple):
    """A purchase and what became of it: a confirmed one may still not count, as when its counter counted before."""

    terminal_id: int
    seq: int
    status: str
    code: str


def answer(
    resident_ref: UUID, purchases: Sequence[tuple[int, int]], *, confirm: bool, now: datetime, actor: str
) -> list[Answered]:
    """Count held purchases that the resident made, or reject those that the resident did not make; all, or none.

    Purchases are named by terminal and number. An answer may be changed until the filing deadline of the purchase's
    year; a first one may come later, for a card may be missed late. Raises PurchaseMissing for one that is not the
    resident's, was never held for its card, or is held as a copy's; AnswerFinal; TooManyAnswers.
    """
    keys = sorted({Key(*purchase) for purchase in purchases})
    if len(keys) > AT_MOST:
        raise TooManyAnswers(f"At most {AT_MOST} purchases are answered for at once.")
    said = CONFIRMED if confirm else DENIED
    with transaction.atomic(), connection.wrap_database_errors, Cursor(raw_connection()) as cursor:
        begin_judging(cursor)
        rules = year_rules()
        years = hold_years(cursor, {year.year for year in rules})
        threads = [thread for thread in lock_threads(cursor, keys) if thread.key in keys]
        kept = {key: account.kept for key, account in accounts_of(cursor, threads).items()}
        for key in keys:
            _check(kept.get(key), resident_ref, said, rules, now)
        settling = Settling(cursor, rules, years, now, again=True, answers=dict.fromkeys(keys, said))
        settling.settle(threads)
        detail = {"answer": said, "purchases": len(keys)}
        before: dict[str, object] = {str(key): found.answer for key in keys if (found := kept.get(key))}
        record_event(
            at=now, actor=actor, action="purchase.answer", subject=f"resident:{resident_ref}", detail=detail,
            before=before, after=dict.fromkeys(before, said),
        )  # fmt: skip
    return [_answered(thread) for thread in threads]


def purchase_named(name: str) -> tuple[int, int]:
    """The terminal and number of a purchase that a form names, as in 12-345. Raises PurchaseMissing for other texts."""
    match = re.fullmatch(r"(\d{1,10})-(\d{1,10})", name, re.ASCII)
    if match is None or max(map(int, match.groups())) > LARGEST:
        raise PurchaseMissing("There is no such purchase.")
    return int(match[1]), int(match[2])


def _check(kept: Kept | None, resident_ref: UUID, said: str, rules: Sequence[YearRules], now: datetime) -> None:
    if kept is None or kept.resident_ref != resident_ref or not asks(kept.code, kept.answer):
        raise PurchaseMissing("There is no such purchase that waits for an answer.")
    deadline_at = next(year.deadline_at for year in rules if year.year == kept.tax_year)
    if kept.answer and kept.answer != said and now >= deadline_at:
        raise AnswerFinal(f"The filing deadline of {kept.tax_year} is over: the answer can no longer be changed.")


def _answered(thread: Thread) -> Answered:
    outcome = thread.outcome
    off = outcome is not None and outcome.status in ("held", "rejected")
    return Answered(*thread.key, *((outcome.status, outcome.code) if outcome and off else ("counted", "")))

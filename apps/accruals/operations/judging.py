"""Judging sales again after a card's or a resident's days have changed: what was not asked of anybody is looked up.

A resident's sales from a time on, counted or withheld, are compared with what the register says now; those that stand
otherwise are settled anew, each change under a ruling of its own. What came of it and the asking's end are committed
together.
"""

import logging
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from django.db import OperationalError, connection, transaction
from django.utils import timezone

from apps.accruals.answers import verdict
from apps.accruals.operations.posting import JUDGING_LOCK, begin_judging, hold_years, is_nobodys_fault
from apps.accruals.operations.settling import Settling
from apps.accruals.operations.verdicts import Register
from apps.audit.operations import Cause, raise_alarms
from apps.kernel.database import Cursor, raw_connection
from apps.purchases.acceptance import YearRules
from apps.purchases.following import Key
from apps.purchases.followups import lock_threads
from apps.purchases.queries import year_rules
from apps.residents.judging import CARD_NOT_VALID, COUNTED, Judgement, is_resident, judge_card
from apps.residents.models import JudgingDue
from apps.residents.operations.judging_due import done, due_numbers, put_off, take_up
from apps.residents.queries import cards_by_number, days_of_residents
from apps.schemes.queries import kept_years

logger = logging.getLogger(__name__)
ASKINGS_AT_ONCE: Final = 100
SALES_LOOKED_AT: Final = 5_000  # of a resident at once
SALES_CHANGED: Final = 400  # in one transaction, about
WAIT_S: Final = 0.02
GIVE_UP_WAITING_S: Final = 30.0
# Of one resident, so of one shard. With ties: a resident is gone through by the time of sales.
SALES: Final = """
SELECT e.of_terminal_id AS terminal_id, e.of_seq AS seq, e.at, e.card, coalesce(w.status, 'counted') AS status,
       coalesce(w.code, '') AS code, coalesce(w.answer, '') AS answer
FROM (SELECT coalesce(of_terminal_id, terminal_id) AS of_terminal_id, coalesce(of_seq, seq) AS of_seq, at, card
      FROM accruals_entry
      WHERE resident_ref = %(resident)s AND tax_year = ANY(%(years)s::int2[]) AND at >= %(since)s) e
LEFT JOIN accruals_withheld w
    ON (w.resident_ref, w.terminal_id, w.seq) = (%(resident)s, e.of_terminal_id, e.of_seq)
UNION
SELECT terminal_id, seq, at, card, status, code, answer FROM accruals_withheld
WHERE resident_ref = %(resident)s AND tax_year = ANY(%(years)s::int2[]) AND at >= %(since)s
ORDER BY at FETCH FIRST %(most)s ROWS WITH TIES
"""
READERS: Final = """
SELECT virtualtransaction FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objid = 0 AND objsubid = 2
    AND mode = 'ShareLock' AND granted AND pid <> pg_backend_pid()
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class Sale(NamedTuple):
    """A sale as it stands, or one of its times; `card` is None for one that was claimed by code."""

    key: Key
    at: datetime
    card: int | None
    status: str
    code: str
    answer: str


class Piece(NamedTuple):
    """What of a resident's sales is judged in this transaction; `go_on_at`: from when on others follow, if they do."""

    due: JudgingDue
    changed: list[Key]
    go_on_at: datetime | None


def judge_due() -> int:
    """Judge again what is asked for. Returns how many sales changed.

    What fails raises an alarm and is asked for again with the next round; it keeps nobody else waiting.
    """
    total = 0
    failed: set[int] = set()
    while numbers := due_numbers(but=failed, most=ASKINGS_AT_ONCE):
        _wait_for_readers()
        try:
            taken, changed = judge_some(numbers, now=timezone.now())
        except Exception as error:
            if is_nobodys_fault(error):
                raise
            logger.exception("Judging again failed: it is now done resident by resident.")
            failed |= _judge_one_by_one(numbers)
            continue
        if not taken:  # others are at it
            break
        total += changed
    return total


def _judge_one_by_one(numbers: Sequence[int]) -> set[int]:
    """Judge each by itself. Returns those that failed, and those that others have."""
    left = set()
    for number in numbers:
        now = timezone.now()
        try:
            while judge_some([number], now=now).taken:
                pass
        except Exception as error:
            if is_nobodys_fault(error):
                raise
            logger.exception("Asking %s to judge again failed.", number)
            raise_alarms([Cause("judging_failed", str(number), {"reason": type(error).__name__})], at=now)
            left.add(number)
    return left | set(numbers)


class JudgedSome(NamedTuple):
    """How many askings were taken up, and how many sales changed."""

    taken: int
    changed: int


def judge_some(numbers: Collection[int], *, now: datetime) -> JudgedSome:
    """Judge some of what these askings are about, in one transaction."""
    with transaction.atomic(), connection.wrap_database_errors, Cursor(raw_connection()) as cursor:
        begin_judging(cursor)
        taken = take_up(numbers)
        if not taken:
            return JudgedSome(0, 0)
        rules = year_rules()
        years = hold_years(cursor, {year.year for year in rules})
        pieces = _pieces(taken, _sales(cursor, taken), rules)
        changed = list(dict.fromkeys(key for piece in pieces for key in piece.changed))
        if changed:
            Settling(cursor, rules, years, now, again=True).settle(lock_threads(cursor, changed))
        done([piece.due.pk for piece in pieces if piece.go_on_at is None])
        for piece in pieces:
            if piece.go_on_at:
                put_off(piece.due, since=piece.go_on_at)
    return JudgedSome(len(pieces), len(changed))


def _wait_for_readers() -> None:
    """Wait until all have committed who go by the register as it was before what is asked for, and keep nobody waiting.

    What comes later reads what has changed. Raises OperationalError when somebody takes too long: it is tried again.
    """
    started_s = time.monotonic()
    with Cursor(raw_connection()) as cursor:
        reading = set(cursor.execute(READERS, (JUDGING_LOCK,)).fetchall())
        while reading:
            if time.monotonic() - started_s > GIVE_UP_WAITING_S:
                raise OperationalError("Somebody has been counting for very long: judging again waits for the end.")
            time.sleep(WAIT_S)
            reading &= set(cursor.execute(READERS, (JUDGING_LOCK,)).fetchall())


def _sales(cursor: Cursor, taken: Sequence[JudgingDue]) -> dict[int, list[Sale]]:
    sales: dict[int, list[Sale]] = {}
    years = kept_years()
    for due in taken:
        place = {"resident": due.resident_id, "since": due.since, "years": years, "most": SALES_LOOKED_AT}
        sales[due.pk] = [Sale(Key(terminal, seq), *rest) for terminal, seq, *rest in cursor.execute(SALES, place)]
    return sales


def _pieces(taken: Sequence[JudgingDue], sales: Mapping[int, list[Sale]], rules: Sequence[YearRules]) -> list[Piece]:
    """What is judged now: no more sales change than a transaction should lock, unless they are of one moment."""
    cards = {sale.card for of_one in sales.values() for sale in of_one if sale.card is not None}
    register = Register(cards_by_number(cards), days_of_residents([due.resident_id for due in taken]))
    pieces: list[Piece] = []
    room = SALES_CHANGED
    for due in taken:
        piece = _piece(due, sales[due.pk], rules, register, room)
        pieces.append(piece)
        room -= len(piece.changed)
        if room <= 0:
            break
    return pieces


def _piece(due: JudgingDue, sales: Sequence[Sale], rules: Sequence[YearRules], register: Register, room: int) -> Piece:
    judged = [(sale, _judgement(sale, due.resident_id, rules, register)) for sale in sales]
    changed = [sale for sale, now in judged if (now.verdict, now.code) != (sale.status, sale.code)]
    go_on_at = sales[-1].at + timedelta(microseconds=1) if len(sales) >= SALES_LOOKED_AT else None
    if len(changed) > room:
        go_on_at = next((sale.at for sale in changed[room:] if sale.at > changed[0].at), go_on_at)
        changed = [sale for sale in changed if go_on_at is None or sale.at < go_on_at]
    return Piece(due, [sale.key for sale in changed], go_on_at)


def _judgement(sale: Sale, resident_ref: UUID, rules: Sequence[YearRules], register: Register) -> Judgement:
    zone = next(year.zone for year in rules if year.starts_at <= sale.at < year.ends_at)
    day = sale.at.astimezone(zone).date()
    if sale.card is None:
        return COUNTED if is_resident(day, *register.days[resident_ref]) else CARD_NOT_VALID
    judgement = judge_card(register.cards[sale.card], sale.at, day)
    return verdict(judgement, code=sale.code, answer=sale.answer)

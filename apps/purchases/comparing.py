"""Closings: taken up when they are counted, compared as soon as no lower number is missing."""

import json
import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from django.db import InterfaceError, OperationalError, connection, transaction

from apps.audit.operations import Cause, raise_alarms
from apps.kernel.database import Cursor, raw_connection
from apps.kernel.errors import kind_of
from apps.merchants.queries import terminal_names
from apps.purchases.closings import Books, differences, targets
from apps.purchases.models import Closing, Poison
from apps.purchases.outbox import Claim, Claimed
from apps.purchases.poison import note_failure
from apps.purchases.ranges import Ranges, gaps
from apps.purchases.records import SentLine
from apps.schemes.queries import scheme_of, started_years

logger = logging.getLogger(__name__)
CLOSINGS_PER_CLAIM: Final = 50
UNREADABLE_NAMED: Final = 20
LINES: Final = """
SELECT seq, line FROM purchases_purchase WHERE lane = %(lane)s AND terminal_id = %(terminal)s
    AND seq >= %(first)s AND seq < %(end)s AND tax_year = %(year)s
UNION ALL
SELECT seq, CASE WHEN has_line THEN convert_from(record, 'UTF8') END FROM purchases_rejection
WHERE lane = %(lane)s AND terminal_id = %(terminal)s AND seq >= %(first)s AND seq < %(end)s AND spends_seq
"""
# What the year's records name, and what else was done about records as old as that: it only sets up the books.
OLDER: Final = """
SELECT seq, line FROM purchases_purchase WHERE lane = %(lane)s AND terminal_id = %(terminal)s
    AND (seq = ANY(%(named)s) OR kind <> 'sale' AND seq >= %(oldest)s AND seq < %(end)s)
UNION ALL
SELECT seq, CASE WHEN has_line THEN convert_from(record, 'UTF8') END FROM purchases_rejection
WHERE lane = %(lane)s AND terminal_id = %(terminal)s AND seq >= %(oldest)s AND seq < %(first)s AND spends_seq
"""


class Due(NamedTuple):
    """A closing to compare."""

    lane: int
    terminal_id: int
    seq: int
    tax_year: int
    reported: dict[str, int]


def add_closings(cursor: Cursor, closings: Sequence[tuple[Claimed, SentLine]]) -> None:
    """Keep closings to be compared."""
    cursor.executemany(
        "INSERT INTO purchases_closing (lane, terminal_id, seq, tax_year, at, reported, due)"
        " VALUES (%s, %s, %s, %s, %s, %s, true)",
        [(p.lane, p.terminal_id, p.seq, sent.year, p.at, json.dumps(sent.amounts)) for p, sent in closings],
    )


def mark_closings_due(cursor: Cursor, claim: Claim) -> None:
    """Have the closings of the claimed batches' terminals looked at below which no number is missing any more."""
    for lane, batch_ids in claim.items():
        cursor.execute(
            "UPDATE purchases_closing c SET due = true FROM purchases_terminalstate s"
            " WHERE c.lane = %(lane)s AND s.lane = %(lane)s AND c.recorded IS NULL AND s.terminal_id = c.terminal_id"
            " AND c.terminal_id IN"
            " (SELECT terminal_id FROM purchases_batch WHERE lane = %(lane)s AND id = ANY(%(ids)s))"
            " AND s.received @> int8range(1, c.seq)",
            {"lane": lane, "ids": batch_ids},
        )


def compare_due(*, now: datetime) -> int:
    """Compare the closings that are due, lane by lane. Returns how many were looked at."""
    total = 0
    for lane in Closing.objects.filter(due=True).order_by("lane").values_list("lane", flat=True).distinct():
        while looked_at := _compare_some(lane, now):
            total += looked_at
    return total


def _compare_some(lane: int, now: datetime) -> int:
    with transaction.atomic(), connection.wrap_database_errors, Cursor(raw_connection()) as cursor:
        rows = cursor.execute(
            "SELECT terminal_id, seq, tax_year, reported FROM purchases_closing WHERE due AND lane = %s"
            " ORDER BY terminal_id, seq LIMIT %s FOR UPDATE SKIP LOCKED",
            (lane, CLOSINGS_PER_CLAIM),
        ).fetchall()
        for terminal_id, seq, tax_year, reported in rows:
            _compare_or_set_aside(cursor, Due(lane, terminal_id, seq, tax_year, json.loads(reported)), now)
    return len(rows)


def _compare_or_set_aside(cursor: Cursor, due: Due, now: datetime) -> None:
    """Compare one closing; one that fails is left open with an alarm and keeps no other waiting."""
    try:
        with transaction.atomic():
            _compare(cursor, due, now)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        logger.exception("Closing %s of terminal %s cannot be compared.", due.seq, due.terminal_id)
        _keep(cursor, due, None, None)
        note_failure(Poison.Kind.CLOSING, due.terminal_id, due.seq, reason=kind_of(error), at=now)
        detail: dict[str, object] = {"reason": kind_of(error)}
        raise_alarms([Cause("closing_failed", f"{due.terminal_id}:{due.seq}", detail)], at=now)


def _compare(cursor: Cursor, due: Due, now: datetime) -> None:
    if not _is_whole(cursor, due):
        _keep(cursor, due, None, None)
        return
    code = terminal_names([due.terminal_id])[due.terminal_id].code
    books = _books(cursor, due, code)
    agrees = None if books.unknown else not differences(due.reported, books.totals)
    _keep(cursor, due, books.totals, agrees)
    detail: dict[str, object] = {"terminal": code, "reported": due.reported, "recorded": books.totals}
    if agrees is False:
        raise_alarms([Cause("closing_differs", f"{code}:{due.seq}", detail)], at=now)
    if agrees is None:  # a record that nobody can read must not blind the books in silence
        numbers = sorted(books.unknown)[:UNREADABLE_NAMED]
        cause = Cause("closing_unreadable", f"{code}:{numbers[0]}", {"terminal": code, "seqs": str(numbers)})
        raise_alarms([cause], at=now)


def _keep(cursor: Cursor, due: Due, recorded: dict[str, int] | None, agrees: bool | None) -> None:
    """Note the totals, which stay empty while a number is missing, and whether they agree, if that can be told."""
    cursor.execute(
        "UPDATE purchases_closing SET due = false, recorded = %s, agrees = %s"
        " WHERE lane = %s AND terminal_id = %s AND seq = %s",
        (None if recorded is None else json.dumps(recorded), agrees, due.lane, due.terminal_id, due.seq),
    )


def _is_whole(cursor: Cursor, due: Due) -> bool:
    """Whether no number below the closing's is missing."""
    row = cursor.execute(
        "SELECT received FROM purchases_terminalstate WHERE lane = %s AND terminal_id = %s", (due.lane, due.terminal_id)
    ).fetchone()
    received: Ranges = [(r.lower, r.upper) for r in row[0]] if row else []
    missing = gaps(received, most=1)
    return bool(received) and not (missing and missing[0][0] < due.seq)


def _books(cursor: Cursor, due: Due, code: str) -> Books:
    """The terminal's books up to the closing, going on from its last closing of the year that could be compared."""
    last = cursor.execute(
        "SELECT seq, recorded FROM purchases_closing WHERE lane = %s AND terminal_id = %s AND seq < %s"
        " AND tax_year = %s AND agrees IS NOT NULL ORDER BY seq DESC LIMIT 1",
        (due.lane, due.terminal_id, due.seq, due.tax_year),
    ).fetchone()
    first, totals = (last[0] + 1, json.loads(last[1])) if last else (1, {})
    books = Books(code, due.tax_year, _zone(due.tax_year), counted_from=first, totals=totals)
    for seq, line in _lines(cursor, due, first, code):
        books.take(seq, line)
    return books


def _lines(cursor: Cursor, due: Due, first: int, code: str) -> list[tuple[int, str | None]]:
    place = {"lane": due.lane, "terminal": due.terminal_id, "first": first, "end": due.seq, "year": due.tax_year}
    lines: dict[int, str | None] = dict(cursor.execute(LINES, place).fetchall())
    named = targets([line for line in lines.values() if line], code)
    if named:
        older = place | {"named": sorted(named), "oldest": min(named)}
        lines |= dict(cursor.execute(OLDER, older).fetchall())
    return sorted(lines.items())


def _zone(year: int) -> ZoneInfo:
    version = next(started.scheme_version_id for started in started_years() if started.year == year)
    return ZoneInfo(scheme_of(version).time_zone)

"""Reading records back: what became of them.

Every page costs two short statements a lane, however much there is; a page that is full after some lanes asks no more.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, Final, NamedTuple

from django.db import connection

from apps.kernel.database import Cursor, raw_connection
from apps.purchases.acceptance import Defect
from apps.purchases.following import Key
from apps.purchases.lanes import NAMED, by_lane, lane_of

# Statements name their lane, so that each is one shard's; they are prepared, for planning costs more than they do.
OF_TERMINAL: Final = "lane = %(lane)s AND terminal_id = t.id AND seq > t.after"
ALL: Final = f"""
SELECT seq FROM purchases_purchase WHERE {OF_TERMINAL}
UNION ALL SELECT seq FROM purchases_rejection WHERE {OF_TERMINAL} AND spends_seq
"""
CHANGED: Final = f"""
SELECT p.seq FROM purchases_batch b JOIN purchases_purchase p ON p.lane = b.lane AND p.batch_id = b.id
WHERE b.lane = %(lane)s AND b.terminal_id = t.id AND p.seq > t.after
    AND (b.counted_at > %(since)s OR b.counted_at IS NULL AND b.received_at > %(since)s)
UNION SELECT seq FROM purchases_outcome WHERE {OF_TERMINAL} AND decided_at > %(since)s
UNION SELECT seq FROM purchases_rejection WHERE {OF_TERMINAL} AND spends_seq AND received_at > %(since)s
"""
RECEIVED: Final = """
SELECT p.seq FROM purchases_batch b JOIN purchases_purchase p ON p.lane = b.lane AND p.batch_id = b.id
WHERE b.lane = %(lane)s AND b.terminal_id = t.id AND p.seq > t.after AND b.counted_at IS NULL
"""
DECIDED: Final = f"SELECT seq FROM purchases_outcome WHERE {OF_TERMINAL} AND status = %(status)s"
REFUSED: Final = f"""
{DECIDED} UNION SELECT seq FROM purchases_rejection r WHERE {OF_TERMINAL} AND spends_seq AND NOT EXISTS (
    SELECT FROM purchases_outcome o WHERE (o.lane, o.terminal_id, o.seq) = (%(lane)s, r.terminal_id, r.seq))
"""
COUNTED: Final = f"""
SELECT p.seq FROM purchases_purchase p JOIN purchases_batch b ON b.lane = p.lane AND b.id = p.batch_id
WHERE p.lane = %(lane)s AND p.terminal_id = t.id AND p.seq > t.after AND b.counted_at IS NOT NULL AND NOT EXISTS (
    SELECT FROM purchases_outcome o WHERE (o.lane, o.terminal_id, o.seq) = (%(lane)s, p.terminal_id, p.seq))
UNION {DECIDED}
"""
BY_STATUS: Final = {"": ALL, "received": RECEIVED, "counted": COUNTED, "rejected": REFUSED}
KEYS: Final = """
SELECT t.id, k.seq FROM (
    SELECT * FROM unnest(%(ids)s::int4[], %(after)s::int4[]) AS x (id, after) ORDER BY id
) t CROSS JOIN LATERAL (SELECT seq FROM ({source}) s {changed} ORDER BY seq LIMIT %(limit)s) k
ORDER BY t.id, k.seq LIMIT %(limit)s
"""
RECORDS: Final = f"""
SELECT k.terminal_id, k.seq, r.line, r.code, r.param, r.value, r.reason, r.received_at, b.received_at, b.counted_at,
       o.status, o.code, o.value, o.decided_at
FROM {NAMED} JOIN LATERAL (
    SELECT line, '' AS code, '' AS param, '' AS value, '' AS reason, batch_id, NULL::timestamptz AS received_at
    FROM purchases_purchase p WHERE p.lane = %(lane)s AND p.terminal_id = k.terminal_id AND p.seq = k.seq
    UNION ALL
    SELECT CASE WHEN has_line THEN convert_from(record, 'UTF8') END, code, param, value, reason, batch_id, received_at
    FROM purchases_rejection p
    WHERE p.lane = %(lane)s AND p.terminal_id = k.terminal_id AND p.seq = k.seq AND p.spends_seq
) r ON true
LEFT JOIN purchases_batch b ON b.lane = %(lane)s AND b.id = r.batch_id
LEFT JOIN purchases_outcome o ON (o.lane, o.terminal_id, o.seq) = (%(lane)s, k.terminal_id, k.seq)
"""


class Wanted(NamedTuple):
    """Which records to read: of these terminals, by number, after `after` (a terminal's number and a seq)."""

    terminal_ids: Sequence[int]
    after: Key
    status: str
    changed_after: datetime | None
    limit: int


class RecordSeen(NamedTuple):
    """A record and what became of it. `line` is None when it has not the shape of a record."""

    key: Key
    line: str | None
    status: str
    defect: Defect | None
    received_at: datetime
    changed_at: datetime


def records_page(wanted: Wanted) -> list[RecordSeen]:
    """The first `limit` records wanted, by terminal and number."""
    with connection.wrap_database_errors, Cursor(raw_connection()) as cursor:
        rows = [
            row
            for place in by_lane(_first_keys(cursor, wanted))
            for row in cursor.execute(RECORDS, place, prepare=True).fetchall()
        ]
    return [_seen(row) for row in sorted(rows, key=itemgetter(0, 1))]


def _first_keys(cursor: Cursor, wanted: Wanted) -> list[Key]:
    """The keys of the page, lane by lane, that of the first terminal first; what comes after the page is not asked."""
    statement, found = _keys_statement(wanted), list[Key]()
    lanes: dict[int, list[int]] = defaultdict(list)
    for terminal_id in sorted(wanted.terminal_ids):
        if terminal_id >= wanted.after.terminal_id:
            lanes[lane_of(terminal_id)].append(terminal_id)
    for lane, ids in lanes.items():
        last = found[-1].terminal_id if len(found) == wanted.limit else ids[-1]
        if asked := [terminal_id for terminal_id in ids if terminal_id <= last]:
            place = {
                "lane": lane, "ids": asked, "limit": wanted.limit, "status": wanted.status,
                "after": [wanted.after.seq if id_ == wanted.after.terminal_id else 0 for id_ in asked],
                "since": wanted.changed_after,
            }  # fmt: skip
            found += [Key(*row) for row in cursor.execute(statement, place, prepare=True).fetchall()]
            found = sorted(found)[: wanted.limit]
    return found


def _keys_statement(wanted: Wanted) -> str:
    source, changed = BY_STATUS.get(wanted.status, DECIDED), ""
    if wanted.changed_after and wanted.status:
        changed = f"WHERE seq IN ({CHANGED})"
    elif wanted.changed_after:
        source = CHANGED
    return KEYS.format(source=source, changed=changed)


def _seen(row: tuple[Any, ...]) -> RecordSeen:
    terminal_id, seq, line, code, param, value, reason, refused_at, received_at, counted_at, *outcome = row
    status, why, left, decided_at = outcome
    defect = Defect(why, "", left) if why else Defect(code, param, value, reason) if code and not status else None
    if not status:
        status = "rejected" if code else "counted" if counted_at else "received"
    first_at = received_at or refused_at
    changed_at = decided_at or refused_at or counted_at or first_at
    return RecordSeen(Key(terminal_id, seq), line, status, defect, first_at, changed_at)

"""Reading records back: what became of them. Every page costs the same two statements, however much there is."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.db import connection

from apps.purchases.acceptance import Defect
from apps.purchases.following import Key
from apps.purchases.lanes import lane_of

# A part a lane, which reads one shard; the parts are put together in one statement. {lane} is the lane's number.
OF_TERMINAL: Final = "lane = {lane} AND terminal_id = t.id AND seq > t.after"
ALL: Final = f"""
SELECT seq FROM purchases_purchase WHERE {OF_TERMINAL}
UNION ALL SELECT seq FROM purchases_rejection WHERE {OF_TERMINAL} AND spends_seq
"""
CHANGED: Final = f"""
SELECT p.seq FROM purchases_batch b JOIN purchases_purchase p ON p.lane = b.lane AND p.batch_id = b.id
WHERE b.lane = {{lane}} AND b.terminal_id = t.id AND p.seq > t.after
    AND (b.counted_at > %(since)s OR b.counted_at IS NULL AND b.received_at > %(since)s)
UNION SELECT seq FROM purchases_outcome WHERE {OF_TERMINAL} AND decided_at > %(since)s
UNION SELECT seq FROM purchases_rejection WHERE {OF_TERMINAL} AND spends_seq AND received_at > %(since)s
"""
RECEIVED: Final = """
SELECT p.seq FROM purchases_batch b JOIN purchases_purchase p ON p.lane = b.lane AND p.batch_id = b.id
WHERE b.lane = {lane} AND b.terminal_id = t.id AND p.seq > t.after AND b.counted_at IS NULL
"""
DECIDED: Final = f"SELECT seq FROM purchases_outcome WHERE {OF_TERMINAL} AND status = %(status)s"
REFUSED: Final = f"""
{DECIDED} UNION SELECT seq FROM purchases_rejection r WHERE {OF_TERMINAL} AND spends_seq AND NOT EXISTS (
    SELECT FROM purchases_outcome o WHERE (o.lane, o.terminal_id, o.seq) = ({{lane}}, r.terminal_id, r.seq))
"""
COUNTED: Final = f"""
SELECT p.seq FROM purchases_purchase p JOIN purchases_batch b ON b.lane = p.lane AND b.id = p.batch_id
WHERE p.lane = {{lane}} AND p.terminal_id = t.id AND p.seq > t.after AND b.counted_at IS NOT NULL AND NOT EXISTS (
    SELECT FROM purchases_outcome o WHERE (o.lane, o.terminal_id, o.seq) = ({{lane}}, p.terminal_id, p.seq))
UNION {DECIDED}
"""
BY_STATUS: Final = {"": ALL, "received": RECEIVED, "counted": COUNTED, "rejected": REFUSED}
KEYS: Final = """
(SELECT t.id, k.seq FROM (
    SELECT * FROM unnest(%(ids_{lane})s::int4[], %(after_{lane})s::int4[]) AS x (id, after) ORDER BY id
) t CROSS JOIN LATERAL (SELECT seq FROM ({source}) s {changed} ORDER BY seq LIMIT %(limit)s) k
ORDER BY t.id, k.seq LIMIT %(limit)s)
"""
FIRST_KEYS: Final = "SELECT id, seq FROM ({parts}) keys ORDER BY id, seq LIMIT %(limit)s"
RECORDS: Final = """
(SELECT k.terminal_id, k.seq, r.line, r.code, r.param, r.value, r.reason, r.received_at, b.received_at AS sent_at,
       b.counted_at, o.status, o.code AS why, o.value AS what_is_left, o.decided_at
FROM unnest(%(terminals_{lane})s::int4[], %(seqs_{lane})s::int4[]) AS k (terminal_id, seq) JOIN LATERAL (
    SELECT line, '' AS code, '' AS param, '' AS value, '' AS reason, batch_id, NULL::timestamptz AS received_at
    FROM purchases_purchase p WHERE p.lane = {lane} AND p.terminal_id = k.terminal_id AND p.seq = k.seq
    UNION ALL
    SELECT CASE WHEN has_line THEN convert_from(record, 'UTF8') END, code, param, value, reason, batch_id, received_at
    FROM purchases_rejection p
    WHERE p.lane = {lane} AND p.terminal_id = k.terminal_id AND p.seq = k.seq AND p.spends_seq
) r ON true
LEFT JOIN purchases_batch b ON b.lane = {lane} AND b.id = r.batch_id
LEFT JOIN purchases_outcome o ON (o.lane, o.terminal_id, o.seq) = ({lane}, k.terminal_id, k.seq))
"""
IN_ORDER: Final = "SELECT * FROM ({parts}) records ORDER BY terminal_id, seq"
TOGETHER: Final = " UNION ALL "


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
    """The first `limit` records wanted, by terminal and number: two statements."""
    with connection.cursor() as cursor:
        cursor.execute(*_keys_statement(wanted))
        keys = [Key(*row) for row in cursor.fetchall()]
        if not keys:
            return []
        cursor.execute(*_records_statement(keys))
        return [_seen(row) for row in cursor.fetchall()]


def _keys_statement(wanted: Wanted) -> tuple[str, dict[str, Any]]:
    source, changed = BY_STATUS.get(wanted.status, DECIDED), ""
    if wanted.changed_after and wanted.status:
        changed = f"WHERE seq IN ({CHANGED})"
    elif wanted.changed_after:
        source = CHANGED
    part = KEYS.replace("{source}", source).replace("{changed}", changed)
    values: dict[str, Any] = {"status": wanted.status, "since": wanted.changed_after, "limit": wanted.limit}
    lanes: dict[int, list[int]] = defaultdict(list)
    for terminal_id in wanted.terminal_ids:
        if terminal_id >= wanted.after.terminal_id:
            lanes[lane_of(terminal_id)].append(terminal_id)
    for lane, ids in lanes.items():
        values[f"ids_{lane}"] = ids
        values[f"after_{lane}"] = [wanted.after.seq if id_ == wanted.after.terminal_id else 0 for id_ in ids]
    parts = [part.format(lane=lane) for lane in lanes] or ["SELECT 0 AS id, 0 AS seq WHERE false"]
    return FIRST_KEYS.format(parts=TOGETHER.join(parts)), values


def _records_statement(keys: Sequence[Key]) -> tuple[str, dict[str, Any]]:
    lanes: dict[int, list[Key]] = defaultdict(list)
    for key in keys:
        lanes[lane_of(key.terminal_id)].append(key)
    values: dict[str, Any] = {}
    for lane, some in lanes.items():
        values[f"terminals_{lane}"] = [key.terminal_id for key in some]
        values[f"seqs_{lane}"] = [key.seq for key in some]
    return IN_ORDER.format(parts=TOGETHER.join(RECORDS.format(lane=lane) for lane in lanes)), values


def _seen(row: tuple[Any, ...]) -> RecordSeen:
    terminal_id, seq, line, code, param, value, reason, refused_at, received_at, counted_at, *outcome = row
    status, why, left, decided_at = outcome
    defect = Defect(why, "", left) if why else Defect(code, param, value, reason) if code and not status else None
    if not status:
        status = "rejected" if code else "counted" if counted_at else "received"
    first_at = received_at or refused_at
    changed_at = decided_at or refused_at or counted_at or first_at
    return RecordSeen(Key(terminal_id, seq), line, status, defect, first_at, changed_at)

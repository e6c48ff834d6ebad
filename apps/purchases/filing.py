"""Filing returns, voids and corrections under the record that they name, inside the worker's transaction."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from apps.kernel.arrays import numbers_array
from apps.kernel.database import Cursor
from apps.purchases.following import MENDABLE_RETURNS, Key
from apps.purchases.lanes import LANES, NAMED, Place, by_lane, place_of
from apps.purchases.outbox import Claim
from apps.purchases.ranges import to_ranges
from apps.purchases.records import FOLLOWING

# Statements name their lane, so that each is one shard's; prepared, for planning costs more than they do.
FILE: Final = """
INSERT INTO purchases_followup
    (of_lane, of_terminal_id, of_seq, lane, terminal_id, seq, received_at, line, code, due, waiting)
SELECT mod(r.of_terminal_id, %(all_lanes)s), r.of_terminal_id, r.of_seq, r.lane, r.terminal_id, r.seq,
       b.received_at, r.line, r.code, true, true
FROM (
    SELECT lane, terminal_id, seq, batch_id, of_terminal_id, of_seq, line, '' AS code FROM purchases_purchase
    WHERE lane = %(lane)s AND batch_id = ANY(%(batches)s) AND kind = ANY(%(kinds)s)
    UNION ALL
    SELECT lane, terminal_id, seq, batch_id, of_terminal_id, of_seq, convert_from(record, 'UTF8'), code
    FROM purchases_rejection
    WHERE lane = %(lane)s AND batch_id = ANY(%(batches)s) AND kind = 'return' AND of_seq IS NOT NULL
          AND code = ANY(%(mendable)s)
) r JOIN purchases_batch b ON b.lane = %(lane)s AND b.id = r.batch_id
ORDER BY r.batch_id, r.seq
"""
FILED: Final = """
INSERT INTO purchases_outcome (lane, terminal_id, seq, status, code, decided_at)
SELECT lane, terminal_id, seq, 'waiting', '', %(now)s FROM purchases_purchase
WHERE lane = %(lane)s AND batch_id = ANY(%(batches)s) AND kind = ANY(%(kinds)s)
"""
# Looked up one by one in the index of what waits, however much that is.
NAMED_AND_OPEN: Final = """
SELECT k.terminal_id, k.first_seq, k.end_seq
FROM unnest(%(terminals)s::int4[], %(firsts)s::int8[], %(ends)s::int8[]) AS k (terminal_id, first_seq, end_seq)
WHERE EXISTS (
    SELECT FROM purchases_followup f WHERE f.of_lane = %(lane)s AND f.of_terminal_id = k.terminal_id
        AND f.of_seq >= k.first_seq AND f.of_seq < k.end_seq AND (f.due OR f.waiting) OFFSET 0)
"""
MARK_DUE: Final = f"""
WITH open AS (
    SELECT f.of_terminal_id, f.of_seq, f.terminal_id, f.seq FROM purchases_followup f
    JOIN {NAMED} ON k.terminal_id = f.of_terminal_id AND k.seq = f.of_seq
    WHERE f.of_lane = %(lane)s AND (f.due OR f.waiting)
    ORDER BY 1, 2, 3, 4 FOR UPDATE OF f
)
UPDATE purchases_followup f SET due = true FROM open o
WHERE f.of_lane = %(lane)s
    AND (f.of_terminal_id, f.of_seq, f.terminal_id, f.seq) = (o.of_terminal_id, o.of_seq, o.terminal_id, o.seq)
"""


def file_followups(cursor: Cursor, claim: Claim, *, now: datetime) -> None:
    """File the returns, voids and corrections of the claimed batches, as waiting for what they name."""
    for lane, batch_ids in claim.items():
        place = {"lane": lane, "batches": batch_ids, "kinds": sorted(FOLLOWING), "all_lanes": LANES, "now": now,
                 "mendable": sorted(MENDABLE_RETURNS)}  # fmt: skip
        cursor.execute(FILE, place, prepare=True)
        cursor.execute(FILED, place, prepare=True)


def mark_due(cursor: Cursor, keys: Iterable[Key]) -> None:
    """Have the follow-ups that wait for these records looked at."""
    for place in by_lane(keys):
        if named := _named_and_open(cursor, place):
            cursor.execute(MARK_DUE, place_of(named), prepare=True)


def _named_and_open(cursor: Cursor, place: Place) -> list[Key]:
    """Those of a lane's records, looked up a run of numbers at a time, in whose run something is due or waits."""
    seqs: dict[int, list[int]] = defaultdict(list)
    for terminal_id, seq in zip(place["terminals"], place["seqs"], strict=True):
        seqs[terminal_id].append(seq)
    runs = [(terminal, *run) for terminal, numbers in seqs.items() for run in to_ranges(numbers)]
    terminals, firsts, ends = (numbers_array(column) for column in zip(*runs, strict=True))
    found = {"lane": place["lane"], "terminals": terminals, "firsts": firsts, "ends": ends}
    rows = cursor.execute(NAMED_AND_OPEN, found, prepare=True).fetchall()
    return [Key(terminal_id, seq) for terminal_id, first, end in rows for seq in range(first, end)]

"""Returns, voids and corrections on their way to the sale they name. Functions run inside the worker's transaction.

A follow-up is filed when its batch is counted and looked at (`due`) then, and again whenever the record that it names
is counted. Whoever looks waits for who is counting that record's batch: so no follow-up is left waiting for a record
that is there.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from apps.purchases.following import MENDABLE_RETURNS, Fate, Follower, Key, Original
from apps.purchases.lanes import LANES, lane_of
from apps.purchases.outbox import Claim, Cursor
from apps.purchases.records import FOLLOWING, read_line

THREADS_PER_CLAIM: Final = 500
NAMED: Final = "unnest(%(lanes)s::int2[], %(terminals)s::int4[], %(seqs)s::int4[]) AS k (lane, terminal_id, seq)"
FILE: Final = """
WITH filed AS (
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
    ) r JOIN purchases_batch b ON b.lane = r.lane AND b.id = r.batch_id
    ORDER BY r.batch_id, r.seq
    RETURNING lane, terminal_id, seq, code
)
INSERT INTO purchases_outcome (lane, terminal_id, seq, status, code, decided_at)
SELECT lane, terminal_id, seq, 'waiting', '', %(now)s FROM filed WHERE code = ''
"""
MARK_DUE: Final = f"""
WITH open AS (
    SELECT f.of_lane, f.of_terminal_id, f.of_seq, f.terminal_id, f.seq FROM purchases_followup f
    JOIN {NAMED} ON k.lane = f.of_lane AND k.terminal_id = f.of_terminal_id AND k.seq = f.of_seq
    WHERE f.due OR f.waiting
    ORDER BY 1, 2, 3, 4, 5 FOR UPDATE OF f
)
UPDATE purchases_followup f SET due = true FROM open o
WHERE (f.of_lane, f.of_terminal_id, f.of_seq, f.terminal_id, f.seq)
    = (o.of_lane, o.of_terminal_id, o.of_seq, o.terminal_id, o.seq)
"""
FIND: Final = f"""
SELECT k.terminal_id, k.seq, r.kind, r.of_terminal_id, r.of_seq, r.line, r.code, r.batch_id FROM {NAMED} JOIN LATERAL (
    SELECT kind, of_terminal_id, of_seq, line, '' AS code, batch_id FROM purchases_purchase p
    WHERE p.lane = k.lane AND p.terminal_id = k.terminal_id AND p.seq = k.seq
    UNION ALL
    SELECT kind, of_terminal_id, of_seq, CASE WHEN has_line THEN convert_from(record, 'UTF8') END, code, batch_id
    FROM purchases_rejection p
    WHERE p.lane = k.lane AND p.terminal_id = k.terminal_id AND p.seq = k.seq AND p.spends_seq
) r ON true
"""
FOLLOWERS: Final = f"""
SELECT f.of_terminal_id, f.of_seq, f.terminal_id, f.seq, f.position, f.received_at, f.line, f.code
FROM purchases_followup f
JOIN {NAMED} ON k.lane = f.of_lane AND k.terminal_id = f.of_terminal_id AND k.seq = f.of_seq
ORDER BY f.of_lane, f.of_terminal_id, f.of_seq, f.terminal_id, f.seq FOR UPDATE OF f
"""
SETTLED: Final = f"""
UPDATE purchases_followup f SET due = false, waiting = %(waiting)s FROM {NAMED}
WHERE k.lane = f.of_lane AND k.terminal_id = f.of_terminal_id AND k.seq = f.of_seq
"""


class Found(NamedTuple):
    """A record that a follow-up names. `line` is None when it was refused and has not the shape of a record."""

    kind: str
    of: Key | None
    line: str | None
    code: str
    batch_id: int


@dataclass(slots=True)
class Thread:
    """A record, and all that names it or one of its returns, in the order taken up. `found`: None, or not counted."""

    key: Key
    found: Found | None = None
    outcome: Fate | None = None
    followers: list[Follower] = field(default_factory=list)

    @property
    def original(self) -> Original | None:
        """The sale, if that is what the thread hangs from, and its line can be read."""
        if self.found and self.found.kind == "sale" and _is_readable(self.found.line):
            return Original(self.key, self.found.line or "", self.found.code)
        return None


def file_followups(cursor: Cursor, claim: Claim, *, now: datetime) -> None:
    """File the returns, voids and corrections of the claimed batches, as waiting for what they name."""
    for lane, batch_ids in claim.items():
        place = {"lane": lane, "batches": batch_ids, "kinds": sorted(FOLLOWING), "all_lanes": LANES, "now": now,
                 "mendable": sorted(MENDABLE_RETURNS)}  # fmt: skip
        cursor.execute(FILE, place)


def mark_due(cursor: Cursor, keys: Iterable[Key]) -> None:
    """Have the follow-ups that wait for these records looked at."""
    cursor.execute(MARK_DUE, _arrays(keys))


def due_keys(cursor: Cursor) -> list[Key]:
    """Some of the records that due follow-ups name, the longest waiting first."""
    rows = cursor.execute(
        "SELECT of_terminal_id, of_seq FROM purchases_followup WHERE due ORDER BY position LIMIT %s",
        (THREADS_PER_CLAIM,),
    )
    return list(dict.fromkeys(Key(*row) for row in rows))


def lock_threads(cursor: Cursor, keys: Sequence[Key]) -> list[Thread]:
    """The threads that these records belong to, locked until commit; a return belongs to its sale's thread.

    Locks are taken in the order batches, threads, follow-ups. What is found is read again under them: a record that
    came meanwhile has marked its follow-ups due, or waits for our locks to do so.
    """
    before = _roots(cursor, keys)
    _lock_batches(cursor, before.found)
    for root in sorted(before.roots):
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (root.terminal_id << 32 | root.seq,))
    threads = {root: Thread(root) for root in sorted(before.roots)}
    _add_followers(cursor, threads)
    now = _roots(cursor, keys)
    counted = _counted(cursor, now.found)
    for root, thread in threads.items():
        record = now.found.get(root)
        if record and (lane_of(root.terminal_id), record.batch_id) in counted:
            thread.found = record
    for key, outcome in _lock_outcomes(cursor, list(threads)).items():
        threads[key].outcome = outcome
    return [thread for thread in threads.values() if thread.key in now.roots]


def settled(cursor: Cursor, threads: Collection[Thread]) -> None:
    """Note that these threads were looked at; those whose record is not there go on waiting."""
    for waiting in (True, False):
        alike = [thread for thread in threads if (thread.found is None) is waiting]
        named = {f.of for thread in alike for f in thread.followers} | {thread.key for thread in alike}
        if named:
            cursor.execute(SETTLED, _arrays(named) | {"waiting": waiting})


def give_up(cursor: Cursor, key: Key) -> None:
    """Look no more at what names this record, until it is marked due again."""
    cursor.execute(
        "UPDATE purchases_followup SET due = false, waiting = true"
        " WHERE of_lane = %s AND of_terminal_id = %s AND of_seq = %s",
        (lane_of(key.terminal_id), *key),
    )


def record_fates(cursor: Cursor, fates: Mapping[Key, Fate], *, now: datetime) -> None:
    """Keep what became of records; one that stays as it was keeps its time."""
    cursor.executemany(
        "INSERT INTO purchases_outcome AS o (lane, terminal_id, seq, status, code, value, decided_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (lane, terminal_id, seq) DO UPDATE"
        " SET status = excluded.status, code = excluded.code, value = excluded.value, decided_at = excluded.decided_at"
        " WHERE (o.status, o.code, o.value) <> (excluded.status, excluded.code, excluded.value)",
        [(lane_of(key.terminal_id), *key, *fate, now) for key, fate in sorted(fates.items())],
    )


def add_claim(cursor: Cursor, key: Key, claim: str, tax_year: int) -> None:
    """Make a sale known by the code on its receipt."""
    cursor.execute(
        "INSERT INTO purchases_claim (claim, lane, terminal_id, seq, tax_year) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        (claim, lane_of(key.terminal_id), *key, tax_year),
    )


def find_claimed(cursor: Cursor, claim: str) -> list[Key]:
    """The sales that this claim is on."""
    rows = cursor.execute("SELECT terminal_id, seq FROM purchases_claim WHERE claim = %s ORDER BY 1, 2", (claim,))
    return [Key(*row) for row in rows]


def mark_all_due(cursor: Cursor, sale: Key) -> None:
    """Have all that names a sale looked at again: it is on an account now."""
    cursor.execute(
        "UPDATE purchases_followup SET due = true WHERE of_lane = %s AND of_terminal_id = %s AND of_seq = %s",
        (lane_of(sale.terminal_id), *sale),
    )


def _arrays(keys: Iterable[Key]) -> dict[str, object]:
    listed = list(keys)
    return {
        "lanes": [lane_of(key.terminal_id) for key in listed],
        "terminals": [key.terminal_id for key in listed],
        "seqs": [key.seq for key in listed],
    }


def _find(cursor: Cursor, keys: Sequence[Key]) -> dict[Key, Found]:
    found = {}
    for terminal_id, seq, kind, of_terminal_id, of_seq, line, code, batch_id in cursor.execute(FIND, _arrays(keys)):
        of = Key(of_terminal_id, of_seq) if of_seq else None
        found[Key(terminal_id, seq)] = Found(kind, of, line, code, batch_id)
    return found


def _root(key: Key, found: Mapping[Key, Found]) -> Key:
    """The sale of a return that was filed; any other record itself."""
    record = found.get(key)
    filed = record and record.kind == "return" and (not record.code or record.code in MENDABLE_RETURNS)
    return record.of if record and record.of and filed else key


def _is_readable(line: str | None) -> bool:
    try:
        read_line(line or "")
    except ValueError:
        return False
    return True


class _Roots(NamedTuple):
    """The sales (or other records) that threads hang from, and all that was found of them and of what names them."""

    roots: set[Key]
    found: dict[Key, Found]


def _roots(cursor: Cursor, keys: Sequence[Key]) -> _Roots:
    found = _find(cursor, keys)
    roots = {_root(key, found) for key in keys}
    return _Roots(roots, found | _find(cursor, [root for root in roots if root not in found]))


def _lock_batches(cursor: Cursor, found: Mapping[Key, Found]) -> None:
    """Wait for who is counting these records' batches, and keep others from it."""
    cursor.execute(
        "SELECT FROM purchases_batch b JOIN unnest(%s::int2[], %s::int8[]) AS k (lane, id)"
        " ON (k.lane, k.id) = (b.lane, b.id) ORDER BY b.lane, b.id FOR SHARE OF b",
        _batches(found),
    )


def _counted(cursor: Cursor, found: Mapping[Key, Found]) -> set[tuple[int, int]]:
    """Which of these records' batches are counted, as (lane, id)."""
    rows = cursor.execute(
        "SELECT b.lane, b.id FROM purchases_batch b JOIN unnest(%s::int2[], %s::int8[]) AS k (lane, id)"
        " ON (k.lane, k.id) = (b.lane, b.id) WHERE b.counted_at IS NOT NULL",
        _batches(found),
    )
    return {(lane, batch_id) for lane, batch_id in rows}


def _batches(found: Mapping[Key, Found]) -> tuple[list[int], list[int]]:
    batches = sorted({(lane_of(key.terminal_id), record.batch_id) for key, record in found.items()})
    return [lane for lane, _ in batches], [batch_id for _, batch_id in batches]


def _add_followers(cursor: Cursor, threads: Mapping[Key, Thread]) -> None:
    """Lock and add what names the threads' sales, and what names their returns."""
    first = cursor.execute(FOLLOWERS, _arrays(threads)).fetchall()
    thread_of = {Key(*row[2:4]): threads[Key(*row[:2])] for row in first}
    second = cursor.execute(FOLLOWERS, _arrays(thread_of)).fetchall()
    taken_up = [(row[4], threads[Key(*row[:2])], row) for row in first]
    taken_up += [(row[4], thread_of[Key(*row[:2])], row) for row in second]
    for _, thread, row in sorted(taken_up, key=lambda taken: taken[0]):
        thread.followers.append(Follower(Key(*row[2:4]), Key(*row[:2]), row[5], row[6], row[7]))


def _lock_outcomes(cursor: Cursor, keys: Sequence[Key]) -> dict[Key, Fate]:
    rows = cursor.execute(
        f"SELECT o.terminal_id, o.seq, o.status, o.code, o.value FROM purchases_outcome o JOIN {NAMED}"
        " ON (k.lane, k.terminal_id, k.seq) = (o.lane, o.terminal_id, o.seq)"
        " ORDER BY o.lane, o.terminal_id, o.seq FOR UPDATE OF o",
        _arrays(keys),
    )
    return {Key(terminal_id, seq): Fate(*fate) for terminal_id, seq, *fate in rows}

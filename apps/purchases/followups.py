"""Returns, voids, corrections and rulings under the sale they name. Functions run inside the worker's transaction.

A follow-up is filed when its batch is counted and looked at (`due`) then, and again whenever the record that it names
is counted. Whoever looks waits for who is counting that record's batch: so no follow-up is left waiting for a record
that is there.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any, Final, NamedTuple

from apps.kernel.database import Cursor
from apps.purchases.following import MENDABLE_RETURNS, Amounts, Fate, Follower, Key, Original, kind_of
from apps.purchases.lanes import ANYWHERE, NAMED, anywhere, by_lane, lane_of, place_of
from apps.purchases.records import read_line
from apps.purchases.rulings import OFFICE, Ruling

THREADS_PER_CLAIM: Final = 500
MOST_HOPS: Final = 10  # of returns that wrongly name returns
# Statements that lock name their lane, so that each is one shard's; prepared, for planning costs more than they do.
FIND: Final = f"""
SELECT k.terminal_id, k.seq, p.kind, p.of_terminal_id, p.of_seq, p.line, '' AS code, p.batch_id,
       b.counted_at IS NOT NULL
FROM {ANYWHERE}
JOIN purchases_purchase p ON p.lane = k.lane AND p.terminal_id = k.terminal_id AND p.seq = k.seq
JOIN purchases_batch b ON b.lane = p.lane AND b.id = p.batch_id
"""
FIND_REFUSED: Final = f"""
SELECT k.terminal_id, k.seq, p.kind, p.of_terminal_id, p.of_seq,
       CASE WHEN p.has_line THEN convert_from(p.record, 'UTF8') END, p.code, p.batch_id,
       p.batch_id IS NULL OR b.counted_at IS NOT NULL
FROM {ANYWHERE}
JOIN purchases_rejection p ON p.lane = k.lane AND p.terminal_id = k.terminal_id AND p.seq = k.seq AND p.spends_seq
LEFT JOIN purchases_batch b ON b.lane = p.lane AND b.id = p.batch_id
"""
LOCK_BATCHES: Final = "SELECT id FROM purchases_batch WHERE lane = %s AND id = ANY(%s::int8[]) ORDER BY id FOR SHARE"
LOCK_FOLLOWERS: Final = f"""
SELECT f.of_terminal_id, f.of_seq, f.terminal_id, f.seq, f.position, f.received_at, f.line, f.code, f.runs
FROM purchases_followup f JOIN {NAMED} ON k.terminal_id = f.of_terminal_id AND k.seq = f.of_seq
WHERE f.of_lane = %(lane)s ORDER BY f.of_terminal_id, f.of_seq, f.terminal_id, f.seq FOR UPDATE OF f
"""
READ_FOLLOWERS: Final = f"""
SELECT f.of_terminal_id, f.of_seq, f.terminal_id, f.seq, f.position, f.received_at, f.line, f.code, f.runs
FROM {ANYWHERE}
JOIN purchases_followup f ON f.of_lane = k.lane AND f.of_terminal_id = k.terminal_id AND f.of_seq = k.seq
"""
HAVE_FOLLOWERS: Final = f"""
SELECT k.terminal_id, k.seq FROM {ANYWHERE}
JOIN purchases_followup f ON f.of_lane = k.lane AND f.of_terminal_id = k.terminal_id AND f.of_seq = k.seq
"""
HAVE_OUTCOMES: Final = f"""
SELECT k.terminal_id, k.seq FROM {ANYWHERE}
JOIN purchases_outcome o ON o.lane = k.lane AND o.terminal_id = k.terminal_id AND o.seq = k.seq
"""
LOCK_OUTCOMES: Final = f"""
SELECT o.terminal_id, o.seq, o.status, o.code, o.value
FROM purchases_outcome o JOIN {NAMED} ON (k.terminal_id, k.seq) = (o.terminal_id, o.seq)
WHERE o.lane = %(lane)s ORDER BY o.terminal_id, o.seq FOR UPDATE OF o
"""
DUE: Final = """
SELECT of_terminal_id, of_seq FROM purchases_followup WHERE due AND NOT failed ORDER BY position LIMIT 2000
"""
# Keeps other workers from the same records; what they have is left out here. Locks are the coordinator's, so that no
# table is in these statements.
TRY_LOCKS: Final = f"""
SELECT k.terminal_id, k.seq FROM {NAMED}
WHERE pg_try_advisory_xact_lock(k.terminal_id::int8 << 32 | k.seq) LIMIT %(most)s
"""
LOCK_THREADS: Final = "SELECT pg_advisory_xact_lock(key) FROM unnest(%s::int8[]) AS key"
# Only what was looked at: more may have been filed meanwhile.
SETTLED: Final = """
UPDATE purchases_followup f SET due = false, failed = false, waiting = k.waiting, runs = coalesce(f.runs, k.runs)
FROM unnest(%(terminals)s::int4[], %(seqs)s::int4[], %(by)s::int4[], %(by_seqs)s::int4[], %(waiting)s::bool[],
            %(runs)s::jsonb[])
    AS k (terminal_id, seq, by_terminal_id, by_seq, waiting, runs)
WHERE f.of_lane = %(lane)s AND k.terminal_id = f.of_terminal_id AND k.seq = f.of_seq
    AND k.by_terminal_id = f.terminal_id AND k.by_seq = f.seq
"""
RULE: Final = """
INSERT INTO purchases_followup (of_lane, of_terminal_id, of_seq, lane, terminal_id, seq, received_at, line, code, due,
                                waiting, runs)
VALUES (%s, %s, %s, 0, 0, %s, %s, %s, %s, false, false, %s)
"""


class Found(NamedTuple):
    """A record that a follow-up names. `line` is None when it was refused and has not the shape of a record.

    `batch_id` is None for what was refused before batches were kept for it.
    """

    kind: str
    of: Key | None
    line: str | None
    code: str
    batch_id: int | None
    is_counted: bool


@dataclass(slots=True)
class Thread:
    """A record, and all that names it or one of its returns, in the order taken up. `found`: None, or not counted.

    `rulings` are those of the refund office about it, in the order in which they were made.
    """

    key: Key
    found: Found | None = None
    outcome: Fate | None = None
    followers: list[Follower] = field(default_factory=list)
    rulings: list[Follower] = field(default_factory=list)

    @property
    def original(self) -> Original | None:
        """The sale, if that is what the thread hangs from, and its line can be read."""
        if self.found and self.found.kind == "sale" and _is_readable(self.found.line):
            return Original(self.key, self.found.line or "", self.found.code)
        return None


def due_keys(cursor: Cursor) -> list[Key]:
    """Some of the records that due follow-ups name, the longest waiting first, that no other worker looks at."""
    due = list(dict.fromkeys(Key(*row) for row in cursor.execute(DUE).fetchall()))
    rows = cursor.execute(TRY_LOCKS, place_of(due) | {"most": THREADS_PER_CLAIM}).fetchall() if due else []
    return [Key(*row) for row in rows]


def lock_threads(cursor: Cursor, keys: Sequence[Key]) -> list[Thread]:
    """The threads that these records belong to, locked until commit; a return belongs to its sale's thread.

    Locks are taken in the order batches, threads, follow-ups. What is found is read again under them: a record that
    came meanwhile has marked its follow-ups due, or waits for our locks to do so.
    """
    before = _roots(cursor, keys)
    _lock_batches(cursor, before.found)
    cursor.execute(LOCK_THREADS, ([root.terminal_id << 32 | root.seq for root in sorted(before.roots)],))
    threads = {root: Thread(root) for root in sorted(before.roots)}
    _add_followers(cursor, threads, locking=True)
    now = _roots(cursor, keys)
    for root, thread in threads.items():
        record = now.found.get(root)
        thread.found = record if record and record.is_counted else None
    for key, outcome in _lock_outcomes(cursor, list(threads)).items():
        threads[key].outcome = outcome
    return [thread for thread in threads.values() if thread.key in now.roots]


def read_threads(cursor: Cursor, keys: Sequence[Key]) -> dict[Key, Thread]:
    """The threads of these sales as they are at the moment, for showing: nothing is locked, no outcome is read."""
    found = _find(cursor, keys)
    threads = {key: Thread(key, found.get(key)) for key in keys}
    _add_followers(cursor, threads, locking=False)
    return threads


def settled(cursor: Cursor, threads: Collection[Thread], runs: Mapping[Key, Mapping[str, int]]) -> None:
    """Note that these threads were looked at; those whose record is not there go on waiting.

    `runs`: under which run of each year each thread's sale was settled.
    """
    looked_at: dict[int, list[tuple[Thread, Follower]]] = defaultdict(list)
    for thread in threads:
        for follower in thread.followers:
            looked_at[lane_of(follower.of.terminal_id)].append((thread, follower))
    for _, some in sorted(looked_at.items()):
        place = place_of([f.of for _, f in some]) | {
            "by": [f.key.terminal_id for _, f in some],
            "by_seqs": [f.key.seq for _, f in some],
            "waiting": [t.found is None for t, _ in some],
            "runs": [json.dumps(runs[t.key]) if t.key in runs else None for t, _ in some],
        }  # fmt: skip
        cursor.execute(SETTLED, place, prepare=True)


def rule(
    cursor: Cursor,
    sale: Key,
    ruling: Ruling,
    code: str,
    *,
    runs: Mapping[str, int],
    now: datetime,
    amounts: Amounts | None = None,
) -> Follower:
    """File a ruling of the refund office about a sale whose thread is locked; `code` says why it is not counted.

    `amounts` are what an amendment says was sold, in minor units by tier.
    """
    seq = cursor.execute("SELECT nextval('purchases_ruling_seq')::int4").fetchall()[0][0]
    lines = ",".join(f"{tier}={amount}" for tier, amount in (amounts or {}).items())
    line = f"{seq}\n{now.isoformat()}\n{ruling}\n-\n-\n{lines}"
    cursor.execute(RULE, (lane_of(sale.terminal_id), *sale, seq, now, line, code, json.dumps(runs)))
    return Follower(Key(OFFICE, seq), sale, now, line, code, runs)


def give_up(cursor: Cursor, key: Key) -> None:
    """Look no more at what names this record until it is taken up again; a freeze says that it is not settled."""
    cursor.execute(
        "UPDATE purchases_followup SET failed = true WHERE due"
        " AND of_lane = %s AND of_terminal_id = %s AND of_seq = %s",
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
    """Have all that tills sent about a sale looked at again: it is on an account now."""
    cursor.execute(
        "UPDATE purchases_followup SET due = true WHERE of_lane = %s AND of_terminal_id = %s AND of_seq = %s"
        " AND terminal_id <> %s",
        (lane_of(sale.terminal_id), *sale, OFFICE),
    )


def _those(cursor: Cursor, statement: str, keys: Collection[Key]) -> set[Key]:
    """Those of the records that a statement finds."""
    return {Key(*row) for row in cursor.execute(statement, anywhere(keys))} if keys else set()


def _find(cursor: Cursor, keys: Iterable[Key]) -> dict[Key, Found]:
    found, named = {}, anywhere(keys)
    for statement in (FIND, FIND_REFUSED):
        for terminal_id, seq, kind, of_terminal_id, of_seq, *rest in cursor.execute(statement, named):
            of = Key(of_terminal_id, of_seq) if of_seq else None
            found[Key(terminal_id, seq)] = Found(kind, of, *rest)
    return found


def _root(key: Key, found: Mapping[Key, Found]) -> Key:
    """The sale of a return that was filed, as its counting does; any other record itself."""
    record = found.get(key)
    if record is None or record.of is None or record.kind != "return" or not record.is_counted:
        return key
    return record.of if not record.code or record.code in MENDABLE_RETURNS else key


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
    """Follow returns to what they name, and that again if it is a return itself."""
    found = _find(cursor, keys)
    roots = set(keys)
    for _ in range(MOST_HOPS):
        further = {_root(key, found) for key in roots}
        if further == roots:
            break
        found |= _find(cursor, [key for key in further if key not in found])
        roots = further
    return _Roots(roots, found)


def _lock_batches(cursor: Cursor, found: Mapping[Key, Found]) -> None:
    """Wait for who is counting these records' batches, and keep others from it."""
    batches: dict[int, set[int]] = defaultdict(set)
    for key, record in found.items():
        if record.batch_id is not None:
            batches[lane_of(key.terminal_id)].add(record.batch_id)
    for lane, ids in sorted(batches.items()):
        cursor.execute(LOCK_BATCHES, (lane, sorted(ids)), prepare=True)


def _add_followers(cursor: Cursor, threads: Mapping[Key, Thread], *, locking: bool) -> None:
    """Add what names the threads' records, what names a return among that, and so on; lock it if told to."""
    level, known = dict(threads), set(threads)
    taken_up: list[tuple[int, Thread, Follower]] = []
    for hop in range(MOST_HOPS + 1):
        if not level:
            break
        rows = _locked_followers(cursor, level, hop) if locking else _read_followers(cursor, level)
        further: dict[Key, Thread] = {}
        for of_terminal_id, of_seq, terminal_id, seq, position, received_at, line, code, runs in rows:
            keys = Key(terminal_id, seq), Key(of_terminal_id, of_seq)
            follower = Follower(*keys, received_at, line, code, json.loads(runs) if runs else None)
            taken_up.append((position, level[follower.of], follower))
            if kind_of(follower) == "return" and follower.key not in known:
                further[follower.key] = level[follower.of]
        level = further
        known |= further.keys()
    for _, thread, follower in sorted(taken_up, key=itemgetter(0)):
        (thread.rulings if follower.key.terminal_id == OFFICE else thread.followers).append(follower)


def _locked_followers(cursor: Cursor, keys: Iterable[Key], hop: int) -> list[tuple[Any, ...]]:
    named = _those(cursor, HAVE_FOLLOWERS, list(keys)) if hop else keys  # of returns most have none
    places = by_lane(named)
    return [row for p in places for row in cursor.execute(LOCK_FOLLOWERS, p, prepare=True).fetchall()]


def _read_followers(cursor: Cursor, keys: Iterable[Key]) -> list[tuple[Any, ...]]:
    return cursor.execute(READ_FOLLOWERS, anywhere(keys)).fetchall()


def _lock_outcomes(cursor: Cursor, keys: Sequence[Key]) -> dict[Key, Fate]:
    places = by_lane(_those(cursor, HAVE_OUTCOMES, keys))  # most have none
    rows = (row for place in places for row in cursor.execute(LOCK_OUTCOMES, place, prepare=True).fetchall())
    return {Key(terminal_id, seq): Fate(*fate) for terminal_id, seq, *fate in rows}

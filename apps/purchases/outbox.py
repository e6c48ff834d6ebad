"""The outbox: accepted batches that wait for a worker. Its functions run inside the worker's transaction."""

import random
from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from django.db import transaction

from apps.audit.operations import Cause, raise_alarms
from apps.kernel.database import Cursor
from apps.purchases.following import Key
from apps.purchases.models import Batch, Poison
from apps.purchases.poison import note_failure
from apps.purchases.queries import lanes_with_work

RECORDS_PER_CLAIM: Final = 10_000
BATCHES_PER_LANE: Final = 100

Claim = dict[int, list[int]]  # lane: batch ids


class Claimed(NamedTuple):
    """A purchase claimed for counting; `line` is its canonical text."""

    lane: int
    terminal_id: int
    seq: int
    tax_year: int
    at: datetime
    line: str


class Decision(NamedTuple):
    """What a worker decided of a purchase that is not simply counted."""

    purchase: Claimed
    status: str
    code: str


def claim_batches(cursor: Cursor) -> Claim:
    """Lock waiting batches that nobody else has, lane by lane in a random order, until there are enough records."""
    lanes = lanes_with_work()
    random.shuffle(lanes)  # workers start in different lanes
    claim: Claim = {}
    records = 0
    for lane in lanes:
        rows = cursor.execute(
            "SELECT id, records FROM purchases_batch WHERE lane = %s AND counted_at IS NULL"
            " AND failed_at IS NULL ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED",
            (lane, BATCHES_PER_LANE),
        ).fetchall()
        if rows:
            claim[lane] = [batch_id for batch_id, _ in rows]
            records += sum(size for _, size in rows)
        if records >= RECORDS_PER_CLAIM:
            break
    return claim


def claim_one(cursor: Cursor, lane: int, batch_id: int) -> Claim:
    """Lock one batch, if it still waits and nobody else has it."""
    row = cursor.execute(
        "SELECT id FROM purchases_batch WHERE lane = %s AND id = %s AND counted_at IS NULL AND failed_at IS NULL"
        " FOR UPDATE SKIP LOCKED",
        (lane, batch_id),
    ).fetchone()
    return {lane: [batch_id]} if row else {}


def waiting_batches() -> Claim:
    """The first batches that wait in each lane, not locked."""
    claim: Claim = {}
    for lane in lanes_with_work():
        waiting = Batch.objects.filter(lane=lane, counted_at=None, failed_at=None).order_by("id")
        claim[lane] = list(waiting.values_list("id", flat=True)[:BATCHES_PER_LANE])
    return claim


def set_aside(lane: int, batch_id: int, *, at: datetime, reason: str) -> None:
    """Take a batch that cannot be counted off the queue, with an alarm. It stays uncounted, and a freeze says so."""
    with transaction.atomic():
        batch = Batch.objects.filter(lane=lane, id=batch_id, counted_at=None)
        batch.update(failed_at=at)
        for terminal_id, request_id in batch.values_list("terminal_id", "request_id"):
            note_failure(Poison.Kind.BATCH, terminal_id, batch_id, reason=reason, at=at, request_id=request_id)
        raise_alarms([Cause("batch_failed", str(batch_id), {"lane": lane, "reason": reason})], at=at)


def purchases_of(cursor: Cursor, claim: Claim) -> list[Claimed]:
    """The claimed batches' purchases, in the order in which each lane's were accepted."""
    purchases: list[Claimed] = []
    for lane, batch_ids in claim.items():
        rows = cursor.execute(
            "SELECT lane, terminal_id, seq, tax_year, at, line FROM purchases_purchase"
            " WHERE lane = %s AND batch_id = ANY(%b) ORDER BY batch_id, seq",
            (lane, batch_ids),
            binary=True,  # which costs workers less
        )
        purchases += [Claimed(*row) for row in rows]
    return purchases


def refused_keys(cursor: Cursor, claim: Claim) -> list[Key]:
    """The numbers that the claimed batches spent on refused records: a correction may be waiting for one."""
    keys: list[Key] = []
    for lane, batch_ids in claim.items():
        rows = cursor.execute(
            "SELECT terminal_id, seq FROM purchases_rejection WHERE lane = %s AND batch_id = ANY(%b)", (lane, batch_ids)
        )
        keys += [Key(*row) for row in rows]
    return keys


def record_decisions(cursor: Cursor, decisions: Iterable[Decision], *, at: datetime) -> None:
    """Keep what was decided, so that a rebuild repeats it and a till can read it back."""
    rows = [(d.purchase.lane, d.purchase.terminal_id, d.purchase.seq, d.status, d.code, at) for d in decisions]
    if rows:
        cursor.executemany(
            "INSERT INTO purchases_outcome (lane, terminal_id, seq, status, code, decided_at)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            rows,
        )


def mark_counted(cursor: Cursor, claim: Claim, *, at: datetime) -> None:
    """Take the batches off the outbox, with the rest of the transaction or not at all."""
    for lane, batch_ids in claim.items():
        cursor.execute(
            "UPDATE purchases_batch SET counted_at = %s WHERE lane = %s AND id = ANY(%b)",
            (at, lane, batch_ids),
        )

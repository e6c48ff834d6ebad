"""Accepting batches. What is answered 200 is committed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from django.db import connection, transaction
from psycopg.types.multirange import Multirange
from psycopg.types.range import Int8Range

from apps.audit.operations import Cause, raise_alarms
from apps.purchases.decisions import Decided, decide_all, new_seqs
from apps.purchases.lanes import lane_of
from apps.purchases.queries import what_stands, year_rules
from apps.purchases.ranges import Ranges, contains, gaps, merge, next_number, to_ranges
from apps.purchases.records import Defect, Malformed, Record, read_record

MISSING_AT_MOST = 100


@dataclass(frozen=True, slots=True)
class Sender:
    """Which terminal sends, by which request, with which software."""

    terminal_id: int
    terminal_code: str
    request_id: UUID
    software: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a batch, and where the terminal stands."""

    decided: Decided
    next_seq: int
    missing: Sequence[tuple[int, int]]


def accept_batch(sender: Sender, raws: Iterable[bytes], *, now: datetime) -> Answer:
    """Take the records of one terminal's batch, each on its own merits, in one durable transaction.

    The terminal's state row is locked, so its batches come one after another. The same record again is a duplicate;
    another content under a known number is refused and raises an alarm.
    """
    records = [read_record(raw) for raw in raws]
    years = year_rules()
    lane = lane_of(sender.terminal_id)
    with transaction.atomic(), connection.wrap_database_errors, psycopg.Cursor(_raw_connection()) as cursor:
        received = _lock_state(cursor, lane, sender.terminal_id)
        again = [r.seq for r in records if r.seq is not None and contains(received, r.seq)]
        standing = what_stands(lane, sender.terminal_id, again) if again else {}
        decided = decide_all(records, standing, years, now)
        _store(cursor, lane, sender, decided, now)
    received = merge(received, to_ranges(new_seqs(decided)))
    return Answer(decided, next_number(received), gaps(received, most=MISSING_AT_MOST))


def _raw_connection() -> psycopg.Connection[Any]:
    """The psycopg connection under Django's, for statements with binary arrays."""
    connection.ensure_connection()
    raw: psycopg.Connection[Any] = connection.connection
    return raw


def _lock_state(cursor: psycopg.Cursor[Any], lane: int, terminal_id: int) -> Ranges:
    select = "SELECT received FROM purchases_terminalstate WHERE lane = %s AND terminal_id = %s FOR UPDATE"
    row = cursor.execute(select, (lane, terminal_id)).fetchone()
    if row is None:
        cursor.execute(
            "INSERT INTO purchases_terminalstate (lane, terminal_id, received) VALUES (%s, %s, '{}')"
            " ON CONFLICT DO NOTHING",
            (lane, terminal_id),
        )
        row = cursor.execute(select, (lane, terminal_id)).fetchone()
    return [(r.lower, r.upper) for r in row[0]] if row else []


def _store(cursor: psycopg.Cursor[Any], lane: int, sender: Sender, decided: Decided, now: datetime) -> None:
    if decided.accepted:
        _store_accepted(cursor, lane, sender, decided.accepted, now)
    if decided.refused:
        _store_refused(cursor, lane, sender.terminal_id, decided.refused, now)
        raise_alarms(_conflicts(sender, decided), at=now)
    if new := to_ranges(new_seqs(decided)):
        cursor.execute(
            "UPDATE purchases_terminalstate SET received = received + %s::int8multirange"
            " WHERE lane = %s AND terminal_id = %s",
            (Multirange([Int8Range(*r) for r in new]), lane, sender.terminal_id),
        )


def _store_accepted(
    cursor: psycopg.Cursor[Any],
    lane: int,
    sender: Sender,
    accepted: Sequence[tuple[Record, int]],
    now: datetime,
) -> None:
    batch = cursor.execute(
        "INSERT INTO purchases_batch (lane, terminal_id, records, software, request_id, received_at)"
        " VALUES (%s, %s, %s, %s, %s, %s) RETURNING id",
        (lane, sender.terminal_id, len(accepted), sender.software, sender.request_id, now),
    ).fetchone()
    cursor.execute(
        "INSERT INTO purchases_purchase (lane, terminal_id, batch_id, seq, tax_year, at, amount_minor, line)"
        " SELECT %s, %s, %s, * FROM unnest(%b::int4[], %b::int2[], %b::timestamptz[], %b::int8[], %b::text[])",
        (
            lane,
            sender.terminal_id,
            batch and batch[0],
            [record.seq for record, _ in accepted],
            [year for _, year in accepted],
            [record.at for record, _ in accepted],
            [record.amount_minor for record, _ in accepted],
            [record.line for record, _ in accepted],
        ),
    )


def _store_refused(
    cursor: psycopg.Cursor[Any],
    lane: int,
    terminal_id: int,
    refused: Sequence[tuple[Record | Malformed, Defect, bool]],
    now: datetime,
) -> None:
    cursor.executemany(
        "INSERT INTO purchases_rejection"
        " (lane, terminal_id, identity, seq, spends_seq, code, param, record, received_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        [
            (
                lane,
                terminal_id,
                record.identity,
                record.seq,
                spends,
                defect.code,
                defect.param,
                _as_sent(record),
                now,
            )
            for record, defect, spends in refused
        ],
    )


def _as_sent(record: Record | Malformed) -> bytes:
    return record.line.encode() if isinstance(record, Record) else record.raw


def _conflicts(sender: Sender, decided: Decided) -> list[Cause]:
    return [
        Cause(
            "seq_conflict",
            f"{sender.terminal_code}:{record.seq}:{record.identity.hex()[:16]}",
            {"seq": record.seq},
        )
        for record, defect, _ in decided.refused
        if defect.code == "seq_conflict"
    ]

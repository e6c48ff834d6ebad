"""The statements that accepting runs, on psycopg's cursor with binary arrays, inside the caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from psycopg.types.multirange import Multirange
from psycopg.types.range import Int8Range

from apps.kernel.database import Cursor
from apps.purchases.acceptance import Defect
from apps.purchases.chain import Seal
from apps.purchases.decisions import Decided, new_seqs
from apps.purchases.ranges import Ranges, next_number, to_ranges
from apps.purchases.records import Malformed, Record, named_by

PURCHASE_COLUMNS: Final = {
    "lane": "int2", "terminal_id": "int4", "batch_id": "int8", "seq": "int4", "tax_year": "int2", "at": "timestamptz",
    "kind": "text", "of_terminal_id": "int4", "of_seq": "int4", "amount_minor": "int8", "line": "text",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class State:
    """Where a terminal stands: the numbers received, its next batch's and, once sealed, its chain's start and head."""

    received: Ranges
    batch_id: int
    sealed_from: int | None = None
    head: bytes | None = None

    @property
    def next_seq(self) -> int:
        """The number after the highest received."""
        return next_number(self.received)


@dataclass(frozen=True, slots=True)
class Sender:
    """Which terminal sends, by which request, with which software. `public_key` is set for a sealed terminal."""

    lane: int
    terminal_id: int
    terminal_code: str
    merchant_id: int
    public_key: bytes | None
    request_id: UUID
    software: str


def lock_state(cursor: Cursor, sender: Sender) -> State:
    """The terminal's state, its row locked, so that its batches come one after another.

    A number for the batch comes with it, drawn under the lock: in the order of their numbers a terminal's batches were
    accepted, and are counted.
    """
    row = _state_of(cursor, sender)
    if row is None:
        cursor.execute(
            "INSERT INTO purchases_terminalstate (lane, terminal_id, received) VALUES (%s, %s, '{}')"
            " ON CONFLICT DO NOTHING",
            (sender.lane, sender.terminal_id),
        )
        row = _state_of(cursor, sender)
    assert row is not None  # noqa: S101 - nobody removes a terminal's state
    received, sealed_from, head, batch_id = row
    return State([(r.lower, r.upper) for r in received], batch_id, sealed_from, head)


def _state_of(cursor: Cursor, sender: Sender) -> tuple[Any, ...] | None:
    """Both statements in one trip."""
    with cursor.connection.pipeline(), Cursor(cursor.connection) as numbers:
        cursor.execute(
            "SELECT received, sealed_from, head FROM purchases_terminalstate"
            " WHERE lane = %s AND terminal_id = %s FOR UPDATE",
            (sender.lane, sender.terminal_id),
            prepare=True,
        )
        numbers.execute("SELECT nextval('purchases_batch_id_seq')", prepare=True)
        row, number = cursor.fetchone(), numbers.fetchone()
    return (*row, *number) if row and number else None


def lines_between(cursor: Cursor, sender: Sender, first: int, end: int) -> list[str | None]:
    """The lines of a terminal's records from number `first` up to before `end`, refused ones too, in order."""
    place = {"lane": sender.lane, "terminal": sender.terminal_id, "first": first, "end": end}
    rows = cursor.execute(
        "SELECT seq, line FROM purchases_purchase WHERE lane = %(lane)s AND terminal_id = %(terminal)s"
        " AND seq >= %(first)s AND seq < %(end)s UNION ALL "
        "SELECT seq, convert_from(record, 'UTF8') FROM purchases_rejection WHERE lane = %(lane)s"
        " AND terminal_id = %(terminal)s AND seq >= %(first)s AND seq < %(end)s AND spends_seq AND has_line"
        " ORDER BY seq",
        place,
    ).fetchall()
    return [line for _, line in rows]


def earlier_seal(cursor: Cursor, sender: Sender, seq: int) -> tuple[int, bytes] | None:
    """The last sealed (number, head) of a terminal below a number."""
    row = cursor.execute(
        "SELECT last_seq, head FROM purchases_seal WHERE lane = %s AND terminal_id = %s AND last_seq < %s"
        " ORDER BY last_seq DESC LIMIT 1",
        (sender.lane, sender.terminal_id, seq),
    ).fetchone()
    return (row[0], row[1]) if row else None


class Sealed(NamedTuple):
    """The seal of a batch that brings something new: the number it goes up to, and where the chain starts."""

    seal: Seal
    last_seq: int
    sealed_from: int


def store(
    cursor: Cursor,
    sender: Sender,
    decided: Decided,
    of_terminals: dict[str, int],
    *,
    batch_id: int,
    sealed: Sealed | None,
    now: datetime,
) -> None:
    """Keep a batch: its accepted records, its refused ones, its seal, and its place in the outbox.

    Accepted records are known to be new while the terminal's state is locked, so they are copied.
    """
    seqs = new_seqs(decided)
    new = to_ranges(seqs)
    if decided.accepted:
        _store_accepted(cursor, sender, batch_id, decided.accepted, of_terminals)
    with cursor.connection.pipeline():  # all the rest in one trip
        if new:
            _store_batch(cursor, sender, batch_id, len(seqs), now)
        if decided.refused:
            _store_refused(cursor, sender, batch_id, decided.refused, of_terminals=of_terminals, now=now)
        if sealed:
            _store_seal(cursor, sender, sealed, now)
        if new or sealed:
            _move_on(cursor, sender, new, sealed)


def _store_seal(cursor: Cursor, sender: Sender, sealed: Sealed, now: datetime) -> None:
    cursor.execute(
        "INSERT INTO purchases_seal (lane, terminal_id, last_seq, head, signature, received_at)"
        " VALUES (%s, %s, %s, %b, %b, %s)",
        (sender.lane, sender.terminal_id, sealed.last_seq, sealed.seal.head, sealed.seal.signature, now),
        prepare=True,
    )


def _move_on(cursor: Cursor, sender: Sender, new: Ranges, sealed: Sealed | None) -> None:
    """Add numbers to those received, and move the chain's head to the seal's."""
    head, sealed_from = (sealed.seal.head, sealed.sealed_from) if sealed else (None, None)
    cursor.execute(
        "UPDATE purchases_terminalstate SET received = received + %s::int8multirange,"
        " head = coalesce(%b::bytea, head), sealed_from = coalesce(%s::int4, sealed_from)"
        " WHERE lane = %s AND terminal_id = %s",
        (Multirange([Int8Range(*r) for r in new]), head, sealed_from, sender.lane, sender.terminal_id),
        prepare=True,
    )


def _store_batch(cursor: Cursor, sender: Sender, batch_id: int, records: int, now: datetime) -> None:
    cursor.execute(
        "INSERT INTO purchases_batch (lane, id, terminal_id, records, software, request_id, received_at)"
        " OVERRIDING SYSTEM VALUE VALUES (%s, %s, %s, %s, %s, %s, %s)",
        (sender.lane, batch_id, sender.terminal_id, records, sender.software, sender.request_id, now),
        prepare=True,
    )


def _store_accepted(
    cursor: Cursor,
    sender: Sender,
    batch_id: int,
    accepted: Sequence[tuple[Record, int]],
    of_terminals: dict[str, int],
) -> None:
    lane, terminal_id = sender.lane, sender.terminal_id
    with cursor.copy(f"COPY purchases_purchase ({', '.join(PURCHASE_COLUMNS)}) FROM STDIN (FORMAT binary)") as copy:
        copy.set_types(list(PURCHASE_COLUMNS.values()))
        for record, year in accepted:
            of_terminal_id, of_seq = (of_terminals[record.of.terminal], record.of.seq) if record.of else (None, None)
            copy.write_row(
                (lane, terminal_id, batch_id, record.seq, year, record.at, record.kind, of_terminal_id, of_seq,
                 record.amount_minor, record.line)
            )  # fmt: skip


def _store_refused(
    cursor: Cursor,
    sender: Sender,
    batch_id: int,
    refused: Sequence[tuple[Record | Malformed, Defect, bool]],
    *,
    of_terminals: dict[str, int],
    now: datetime,
) -> None:
    cursor.executemany(
        "INSERT INTO purchases_rejection (lane, terminal_id, batch_id, received_at, identity, seq, spends_seq, code,"
        " param, value, reason, has_line, record, kind, of_terminal_id, of_seq)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        [
            (sender.lane, sender.terminal_id, batch_id if spends else None, now, record.identity, record.seq, spends,
             defect.code, defect.param, defect.value, defect.reason, *_as_sent(record), *_named(record, of_terminals))
            for record, defect, spends in refused
        ],
    )  # fmt: skip


def _as_sent(record: Record | Malformed) -> tuple[bool, bytes]:
    """Whether a line is kept, and the bytes kept."""
    if record.line is None and isinstance(record, Malformed):
        return False, record.raw
    return True, (record.line or "").encode()


def _named(record: Record | Malformed, of_terminals: dict[str, int]) -> tuple[str, int | None, int | None]:
    """The kind of a record, and what it names, as far as that can be told."""
    kind = record.line.split("\n")[2] if record.line else ""
    of = named_by(record)
    return (kind, of_terminals[of.terminal], of.seq) if of and of.terminal in of_terminals else (kind, None, None)

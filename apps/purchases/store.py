"""The statements that accepting makes inside the caller's transaction: what goes with every batch in two trips."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from apps.kernel.arrays import numbers_array, numbers_or_null_array, quoted_array, text_array, times_array
from apps.kernel.database import Ask, Cursor, Statement, Value, trip
from apps.purchases.acceptance import Defect
from apps.purchases.chain import Seal
from apps.purchases.decisions import Decided, new_seqs
from apps.purchases.ranges import Ranges, next_number, ranges_text, read_ranges, to_ranges
from apps.purchases.records import Malformed, Record, named_by
from apps.schemes.queries import YEARS, OpenYear, open_years

STATE: Final = Statement(
    "SELECT received::text, sealed_from, head FROM purchases_terminalstate"
    " WHERE lane = $1 AND terminal_id = $2 FOR UPDATE"
)
NEW_STATE: Final = Statement(
    "INSERT INTO purchases_terminalstate (lane, terminal_id, received) VALUES ($1, $2, '{}') ON CONFLICT DO NOTHING"
)
NUMBER: Final = Statement("SELECT nextval('purchases_batch_id_seq')")
BATCH: Final = Statement(
    "INSERT INTO purchases_batch (lane, id, terminal_id, records, software, request_id, received_at)"
    " OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3, $4, $5, $6, $7)"
)
PURCHASES: Final = Statement(
    "INSERT INTO purchases_purchase (lane, terminal_id, batch_id, seq, tax_year, at, kind, of_terminal_id, of_seq,"
    " amount_minor, line) SELECT $1::int2, $2::int4, $3::int8, * FROM unnest($4::int4[], $5::int2[], $6::timestamptz[],"
    " $7::text[], $8::int4[], $9::int4[], $10::int8[], $11::text[])"
)
SEAL: Final = Statement(
    "INSERT INTO purchases_seal (lane, terminal_id, last_seq, head, signature, received_at)"
    " VALUES ($1, $2, $3, $4, $5, $6)"
)
# Adds numbers to those received, and moves the chain's head to the seal's.
MOVE_ON: Final = Statement(
    "UPDATE purchases_terminalstate SET received = received + $3::int8multirange,"
    " head = coalesce($4::bytea, head), sealed_from = coalesce($5::int4, sealed_from)"
    " WHERE lane = $1 AND terminal_id = $2"
)


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


def lock_state(sender: Sender) -> tuple[State, list[OpenYear]]:
    """The terminal's state, its row locked, so that its batches come one after another; and the started years.

    A number for the batch comes with it, drawn under the lock: in the order of their numbers a terminal's batches were
    accepted, and are counted.
    """
    place = (sender.lane, sender.terminal_id)
    years, states, ((batch_id,),) = trip(Ask(YEARS), Ask(STATE, place), Ask(NUMBER))
    if not states:
        _, states, ((batch_id,),) = trip(Ask(NEW_STATE, place), Ask(STATE, place), Ask(NUMBER))
    ((received, sealed_from, head),) = states
    return State(read_ranges(received), batch_id, sealed_from, head), open_years(years)


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
    """Keep a batch: its accepted records, its refused ones, its seal, and its place in the outbox."""
    seqs = new_seqs(decided)
    new = to_ranges(seqs)
    asked = []
    if new:
        asked.append(Ask(BATCH, _batch(sender, batch_id, len(seqs), now)))
    if decided.accepted:
        asked.append(Ask(PURCHASES, _purchases(sender, batch_id, decided.accepted, of_terminals)))
    if sealed:
        asked.append(Ask(SEAL, _seal(sender, sealed, now)))
    if new or sealed:
        asked.append(Ask(MOVE_ON, _next_state(sender, new, sealed)))
    trip(*asked)
    if decided.refused:
        _store_refused(cursor, sender, batch_id, decided.refused, of_terminals=of_terminals, now=now)


def _batch(sender: Sender, batch_id: int, records: int, now: datetime) -> Sequence[Value]:
    place = (sender.lane, batch_id, sender.terminal_id)
    return *place, records, sender.software, str(sender.request_id), now.isoformat()


def _purchases(
    sender: Sender, batch_id: int, accepted: Sequence[tuple[Record, int]], of_terminals: dict[str, int]
) -> Sequence[Value]:
    records = [record for record, _ in accepted]
    named = [record.of for record in records]
    return (
        sender.lane,
        sender.terminal_id,
        batch_id,
        numbers_array([record.seq for record in records]),
        numbers_array([year for _, year in accepted]),
        times_array([record.at for record in records]),
        quoted_array([record.kind for record in records]),
        numbers_or_null_array([of_terminals[of.terminal] if of else None for of in named]),
        numbers_or_null_array([of.seq if of else None for of in named]),
        numbers_array([record.amount_minor for record in records]),
        text_array([record.line for record in records]),
    )


def _seal(sender: Sender, sealed: Sealed, now: datetime) -> Sequence[Value]:
    seal = sealed.seal
    return sender.lane, sender.terminal_id, sealed.last_seq, seal.head, seal.signature, now.isoformat()


def _next_state(sender: Sender, new: Ranges, sealed: Sealed | None) -> Sequence[Value]:
    head, sealed_from = (sealed.seal.head, sealed.sealed_from) if sealed else (None, None)
    return sender.lane, sender.terminal_id, ranges_text(new), head, sealed_from


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

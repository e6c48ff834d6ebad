"""Accepting batches. What is answered 200 is committed."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.utils import timezone

from apps.audit.operations import Cause, raise_alarms, record_event
from apps.kernel.database import Cursor, again_after_conflict, raw_connection
from apps.merchants.queries import terminals_of_merchant
from apps.purchases.acceptance import Standing, Till
from apps.purchases.chain import (
    ChainBroken,
    Seal,
    SealMismatch,
    SealMissing,
    check_continues,
    check_seal,
    first_digest,
    head_after,
)
from apps.purchases.decisions import Decided, decide_all, new_seqs
from apps.purchases.doorbell import doorbell
from apps.purchases.poison import take_up_again
from apps.purchases.queries import MISSING_AT_MOST, rules_of, what_stands
from apps.purchases.ranges import contains, gaps, merge, next_number, to_ranges
from apps.purchases.records import Malformed, Record, named_by, read_record
from apps.purchases.store import Sealed, Sender, State, earlier_seal, lines_between, lock_state, store

Records = Sequence[Record | Malformed]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a batch, and where the terminal stands."""

    decided: Decided
    next_seq: int
    missing: Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A batch as it came."""

    sender: Sender
    records: Records
    seal: Seal | None
    now: datetime


def accept_batch(sender: Sender, raws: Iterable[bytes], *, seal: Seal | None = None, now: datetime) -> Answer:
    """Take the records of one terminal's batch, each on its own merits, in one durable transaction.

    The terminal's state row is locked, so its batches come one after another. The same record again is a duplicate;
    another content under a known number is refused and raises an alarm. A terminal with a key must seal: raises
    SealMissing, ChainBroken and SealMismatch, with an alarm, and nothing of the batch is taken.
    """
    arrival = _Arrival(sender, [read_record(raw) for raw in raws], seal, now)
    try:
        return _accept(arrival)
    except (SealMissing, ChainBroken, SealMismatch) as error:
        raise_alarms([_seal_alarm(arrival, error)], at=now)
        raise


@again_after_conflict
def _accept(arrival: _Arrival) -> Answer:
    sender, records = arrival.sender, arrival.records
    named = _named_terminals(sender, records)
    with transaction.atomic(), connection.wrap_database_errors, Cursor(raw_connection()) as cursor:
        state, years = lock_state(sender)
        again = [r.seq for r in records if r.seq is not None and contains(state.received, r.seq)]
        standing = what_stands(sender.lane, sender.terminal_id, again) if again else {}
        sealed = None
        if sender.public_key:
            sealed = _check_seal(cursor, arrival, state, standing)
        decided = decide_all(records, Till(sender.terminal_code, named), standing, rules_of(years), arrival.now)
        store(cursor, sender, decided, named, batch_id=state.batch_id, sealed=sealed, now=arrival.now)
        raise_alarms(_conflicts(sender, decided), at=arrival.now)
    received = merge(state.received, to_ranges(new_seqs(decided)))
    return Answer(decided, next_number(received), gaps(received, most=MISSING_AT_MOST))


def _named_terminals(sender: Sender, records: Records) -> dict[str, int]:
    """The number of each terminal of the same merchant that these records name: a query only if it is another."""
    others = {of.terminal for of in map(named_by, records) if of} - {sender.terminal_code}
    named = terminals_of_merchant(others, sender.merchant_id) if others else {}
    return named | {sender.terminal_code: sender.terminal_id}


def _check_seal(cursor: Cursor, arrival: _Arrival, state: State, standing: dict[int, Standing]) -> Sealed | None:
    """Check that the batch continues the terminal's chain. Returns its seal if it brings something new."""
    sender, seal = arrival.sender, arrival.seal
    if seal is None:
        raise SealMissing
    new = check_continues(arrival.records, state.next_seq, standing)
    if arrival.records and not new:
        head = _known_head(cursor, arrival, state)
    else:
        head = head_after(state.head or first_digest(sender.terminal_code), [record.line for record in new])
    check_seal(seal, head, sender.public_key or b"")
    if not new:
        return None
    return Sealed(seal, state.next_seq + len(new) - 1, state.sealed_from or state.next_seq)


def _known_head(cursor: Cursor, arrival: _Arrival, state: State) -> bytes:
    """The digest after a batch that is known already: from the last seal before it, or from the chain's start."""
    sender, records = arrival.sender, arrival.records
    first, last = records[0].seq or 0, records[-1].seq or 0
    seal = earlier_seal(cursor, sender, first)
    start = seal[0] + 1 if seal else state.sealed_from or state.next_seq
    digest = seal[1] if seal else first_digest(sender.terminal_code)
    return head_after(digest, lines_between(cursor, sender, start, last + 1))


def _seal_alarm(arrival: _Arrival, error: SealMissing | ChainBroken | SealMismatch) -> Cause:
    sender, seal, now = arrival.sender, arrival.seal, arrival.now
    detail: dict[str, object] = {"terminal": sender.terminal_code, "request_id": str(sender.request_id)}
    if isinstance(error, ChainBroken):
        head = seal.head.hex() if seal else "none"
        return Cause(error.kind, f"{sender.terminal_code}:{error.seq}:{head[:16]}", detail | {"seq": error.seq})
    head = seal.head.hex() if seal else f"none on {now:%Y-%m-%d}"
    return Cause(error.code, f"{sender.terminal_code}:{head[:32]}", detail | {"head": head, "reason": str(error)})


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


def replay(pks: Collection[int] | None, *, actor: str) -> int:
    """Put work that was set aside back on its queue: all, or these. Returns how many; workers do it right after.

    It can do no harm: what fails again is set aside again, what succeeds is counted once.
    """
    with transaction.atomic():
        taken_up = take_up_again(pks=pks)
        detail = {"taken_up": taken_up, "poison": sorted(pks) if pks is not None else "all"}
        record_event(at=timezone.now(), actor=actor, action="poison.replay", subject="outbox", detail=detail)
    doorbell.ring()
    return taken_up

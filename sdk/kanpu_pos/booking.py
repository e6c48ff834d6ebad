"""Entering a record into the till's file together with what it changes in the totals, in one transaction."""

from zoneinfo import ZoneInfo

from kanpu_pos.fields import Lines, parse_time
from kanpu_pos.records import Correction, Following, Record, Return, Sale, Void
from kanpu_pos.store import Store
from kanpu_pos.tiers import tax_year
from kanpu_pos.totals import Amounts, Booked, change, plus


def enter(
    store: Store,
    record: Record,
    *,
    terminal: str,
    zone: ZoneInfo,
    claim: bytes | None = None,
    card_error: str | None = None,
) -> None:
    """Keep a new record of `terminal`, to be sent."""
    of_seq = own_seq(record, terminal)
    store.add(record, of_seq=of_seq, totals=_added(store, record, of_seq, zone), claim=claim, card_error=card_error)


def enter_recovered(store: Store, record: Record, *, terminal: str, zone: ZoneInfo) -> None:
    """Keep a record of `terminal` that was read back from the server."""
    of_seq = own_seq(record, terminal)
    store.add_recovered(record, of_seq=of_seq, totals=_added(store, record, of_seq, zone))


def own_seq(record: Record, terminal: str) -> int | None:
    """Return the number of the own record that `record` is about, if it is about one."""
    if isinstance(record, Following) and record.of[0] == terminal:
        return record.of[1]
    return None


def booked(store: Store, seq: int) -> Booked | None:
    """Return the own sale or return of this number as it stands now, if there is one."""
    row = store.row(seq)
    record = row.record if row else None
    if not isinstance(record, Sale | Return):
        return None
    return Booked(
        sign=1 if isinstance(record, Sale) else -1,
        lines=_current_lines(store, record),
        returned=_returned(store, seq),
        voided=_is_void(store, seq),
    )


def _added(store: Store, record: Record, of_seq: int | None, zone: ZoneInfo) -> tuple[int, Amounts]:
    about = booked(store, of_seq) if of_seq is not None and isinstance(record, Void | Correction) else None
    return tax_year(parse_time(record.at_text, param="at"), zone), change(record, about)


def _current_lines(store: Store, record: Sale | Return) -> Lines:
    for row in reversed(store.about(record.seq, Correction.kind)):
        correction = row.record
        if isinstance(correction, Correction):
            return correction.lines
    return record.lines


def _returned(store: Store, seq: int) -> Amounts:
    """What this terminal has taken back of its sale: its returns that are not void, as corrected."""
    total: Amounts = {}
    for row in store.about(seq, Return.kind):
        record = row.record
        if isinstance(record, Return) and not _is_void(store, record.seq):
            total = plus(total, dict(_current_lines(store, record)))
    return total


def _is_void(store: Store, seq: int) -> bool:
    return bool(store.about(seq, Void.kind))

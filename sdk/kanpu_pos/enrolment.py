"""Giving a till its key, and a new disk its past: from then on its records are sealed."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kanpu_pos.booking import enter_recovered
from kanpu_pos.client import Client
from kanpu_pos.errors import KanpuPosError
from kanpu_pos.fields import FieldError
from kanpu_pos.outcomes import Outcome
from kanpu_pos.records import Correction, Record, Return, Sale, Void
from kanpu_pos.sending import drain
from kanpu_pos.store import Store
from kanpu_pos.terminals import Terminal


class EnrolmentError(KanpuPosError):
    """The till cannot be enrolled as it is; the message says what to do."""


def enrol(
    store: Store, client: Client, terminal: str, enrolment_code: str, *, zone: Callable[[], ZoneInfo]
) -> Ed25519PrivateKey:
    """Make a key pair, register its public key, and continue from the server's next number and head.

    A new file reads the terminal's records back first, for its totals and what may still be voided or returned: the
    API key needs the scope `read` for that. What cannot succeed is refused before the one-time code is spent. Raises
    EnrolmentError, and what the client raises.
    """
    known = client.terminal(terminal)
    if not known.sealed:
        drain(store, client, terminal, private_key=None)
        known = client.terminal(terminal)
    lost = _lost_records(store, client, known)
    key = _pending_key(store)
    client.register_key(terminal, enrolment_code=enrolment_code, public_key=key.public_key().public_bytes_raw())
    known = client.terminal(terminal)
    if known.head is None:
        raise EnrolmentError("the server took the key but says that the terminal is not sealed: enrol it again")
    with store.transaction():
        for record in lost:
            enter_recovered(store, record, terminal=terminal, zone=zone())
        store.restart_chain(known.next_seq, known.head)
        store.keep_setting("private_key", key.private_bytes_raw())
        store.keep_setting("pending_key", None)
    return key


def _lost_records(store: Store, client: Client, known: Terminal) -> list[Record]:
    """What the server has and a new file lacks. Raises EnrolmentError for a file with another past."""
    if store.next_seq() == 1:
        outcomes = sorted(client.purchases(known.code), key=lambda outcome: outcome.seq) if known.next_seq > 1 else []
        return [record for record in map(_record, outcomes) if record]
    if store.first_unsent() != known.next_seq:
        raise EnrolmentError(
            f"this till's file goes on at record {store.first_unsent()}, the server at {known.next_seq}. Keep the file "
            "as it is, start a new one and enrol that"
        )
    return []


def _pending_key(store: Store) -> Ed25519PrivateKey:
    """The key of an enrolment that was cut off, or a new one: kept before the server hears of it."""
    pending = store.setting("pending_key")
    if pending:
        return Ed25519PrivateKey.from_private_bytes(pending)
    key = Ed25519PrivateKey.generate()
    with store.transaction():
        store.keep_setting("pending_key", key.private_bytes_raw())
    return key


def _record(outcome: Outcome) -> Record | None:
    """The record that an outcome is about, as far as totals need it; None for others and malformed ones."""
    seq, at, of, lines = outcome.seq, outcome.at, outcome.of or ("", 0), outcome.lines
    try:
        match outcome.kind:
            case "sale":
                return Sale(seq=seq, at=at, lines=lines)
            case "return":
                return Return(seq=seq, at=at, of=of, lines=lines)
            case "void":
                return Void(seq=seq, at=at, of=of)
            case "correction":
                return Correction(seq=seq, at=at, of=of, lines=lines)
    except FieldError:  # it was refused for this: the server cannot compare totals with it either
        return None
    return None

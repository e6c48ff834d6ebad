"""The seal of a terminal's records: a chain of digests, and a signature over its head. Pure.

digest(0) = SHA-256("kanpu chain v1\\n" ‖ terminal), digest(n) = SHA-256(digest(n−1) ‖ line(n)); the signature is
Ed25519 (RFC 8032) over the 32 bytes of the head.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from apps.kernel.errors import KanpuError
from apps.purchases.acceptance import Standing
from apps.purchases.records import Malformed, Record


@dataclass(frozen=True, slots=True)
class Seal:
    """What a till says its chain is after a batch: 32 bytes of head, 64 bytes of signature."""

    head: bytes
    signature: bytes


class SealMissing(KanpuError):
    """A terminal that was enrolled with a key sent a batch without a seal."""

    code = "seal_missing"


class ChainBroken(KanpuError):
    """A sealed batch does not continue what is known. `kind` names the alarm: a gap, or other content (a fork)."""

    code = "chain_broken"

    def __init__(self, kind: str, seq: int | None) -> None:
        super().__init__(f"{kind} at {seq}")
        self.kind = kind
        self.seq = seq


class SealMismatch(KanpuError):
    """The head is not that of these records, or the signature is not the terminal's."""

    code = "seal_mismatch"


def first_digest(terminal_code: str) -> bytes:
    """The digest before a terminal's first record."""
    return hashlib.sha256(f"kanpu chain v1\n{terminal_code}".encode()).digest()


def extended(digest: bytes, line: str) -> bytes:
    """The digest after one more record."""
    return hashlib.sha256(digest + line.encode()).digest()


def check_continues(
    records: Sequence[Record | Malformed], next_seq: int, standing: Mapping[int, Standing]
) -> Sequence[Record | Malformed]:
    """The records that are new: a sealed batch ascends without gaps, from `next_seq` or below, and repeats exactly.

    Raises ChainBroken.
    """
    expected = None
    for record in records:
        if record.seq is None or (record.seq > next_seq if expected is None else record.seq != expected):
            raise ChainBroken("chain_gap", record.seq)
        expected = record.seq + 1
        if record.seq < next_seq:
            _check_known(record, standing.get(record.seq))
    return [record for record in records if record.seq is not None and record.seq >= next_seq]


def _check_known(record: Record | Malformed, stands: Standing | None) -> None:
    if stands is None:  # from before the terminal was sealed, and never sent
        raise ChainBroken("chain_gap", record.seq)
    if not stands.is_same(record):
        raise ChainBroken("chain_fork", record.seq)


def head_after(digest: bytes, lines: Iterable[str | None]) -> bytes:
    """The digest after these lines. Raises SealMismatch where a record has none."""
    for line in lines:
        if line is None:
            raise SealMismatch("a record has not the shape of one, so it has no line")
        digest = extended(digest, line)
    return digest


def check_seal(seal: Seal, expected_head: bytes, public_key: bytes) -> None:
    """Raise SealMismatch unless the head is the expected one and the signature is of this key (32 bytes)."""
    if seal.head != expected_head:
        raise SealMismatch("the head is not the digest after the batch's last record")
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(seal.signature, seal.head)
    except InvalidSignature:
        raise SealMismatch("the signature is not by the key that this terminal is enrolled with") from None

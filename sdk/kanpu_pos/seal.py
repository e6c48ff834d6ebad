"""The seal of a terminal's records: a chain of digests, so that a lost, changed or added record shows.

digest(0) = SHA-256("kanpu chain v1\\n" followed by the terminal's code), digest(n) = SHA-256(digest(n-1) followed by
line(n)). The head of a batch is the digest after its last record; the signature is Ed25519 (RFC 8032) over its 32
bytes.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kanpu_pos import base64url
from kanpu_pos.fields import check_terminal


@dataclass(frozen=True, slots=True)
class Seal:
    """What a batch of a sealed terminal bears: `head` of 32 bytes, `signature` of 64."""

    head: bytes
    signature: bytes

    def to_json(self) -> bytes:
        """Return the seal as the `seal` of a request body."""
        return b'{"head":"%b","signature":"%b"}' % (
            base64url.encode(self.head).encode("ascii"),
            base64url.encode(self.signature).encode("ascii"),
        )


def digest_0(terminal: str) -> bytes:
    """Return the digest before a terminal's first record, 32 bytes. Raises FieldError for a bad code."""
    check_terminal(terminal)
    return hashlib.sha256(f"kanpu chain v1\n{terminal}".encode("ascii")).digest()


def extended(digest: bytes, line: str) -> bytes:
    """Return the digest after one more record, given the one before it and the record's canonical line."""
    return hashlib.sha256(digest + line.encode("utf-8")).digest()


def digests(digest: bytes, lines: Iterable[str]) -> Iterator[bytes]:
    """Yield the digest after each of `lines`, `digest` being the one before the first."""
    for line in lines:
        digest = extended(digest, line)
        yield digest


def sign(private_key: Ed25519PrivateKey, digest: bytes) -> Seal:
    """Return the seal of a batch after whose last record the chain's digest is `digest`."""
    return Seal(digest, private_key.sign(digest))

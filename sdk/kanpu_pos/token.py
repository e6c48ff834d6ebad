"""The card token `kt1`: what a reader makes of a card's answer, afresh for every purchase.

Sealed with HPKE (RFC 9180) in base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM, `info` the
context of the purchase, no associated data. Only the refund centre's workers hold the private key that opens
it.
"""

from typing import Final

from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from kanpu_pos import base64url
from kanpu_pos.errors import KanpuPosError
from kanpu_pos.fields import check_seq, check_terminal

PREFIX: Final = "kt1."
PLAINTEXT_BYTES: Final = 36

# Holds no key and no state, so every reader and thread shares it.
_SUITE: Final = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_128_GCM)


class TokenError(KanpuPosError, ValueError):
    """What was to be sealed is not a card's answer, or the key id is none."""


def token_context(terminal: str, seq: int) -> bytes:
    """Return the bytes that bind a card's answer and its token to one purchase.

    Raises FieldError for a terminal code or seq that the protocol does not allow.
    """
    check_terminal(terminal)
    check_seq(seq)
    return f"kanpu card token v1\n{terminal}\n{seq}".encode("ascii")


def seal_token(plaintext: bytes, *, key_id: int, public_key: X25519PublicKey, context: bytes) -> str:
    """Return the token of 118 characters; sealing the same answer again gives another one.

    `plaintext` is the card's answer of 36 bytes, `key_id` (1 to 255) says which private key opens the token.
    Raises TokenError when either is out of form.
    """
    if len(plaintext) != PLAINTEXT_BYTES:
        raise TokenError(f"a card's answer has {PLAINTEXT_BYTES} bytes, this has {len(plaintext)}")
    check_key_id(key_id)
    # As RFC 9180 lays it out: the encapsulated key (32 bytes), then the ciphertext and its tag (36 + 16).
    sealed = _SUITE.encrypt(plaintext, public_key, info=context)
    return PREFIX + base64url.encode(bytes((key_id,)) + sealed)


def check_key_id(key_id: int) -> None:
    """Raise TokenError unless `key_id` is an integer from 1 to 255."""
    if not (type(key_id) is int and 1 <= key_id <= 255):
        raise TokenError(f"a sealing key's id is an integer from 1 to 255, not {key_id!r}")

"""The other sides of a card token, for the vectors and the tests: what the issuer and the opener do.

A till never runs this: it holds neither the issuer's master key nor a private key, and `kanpu_pos` has no
code for them.
"""

import hmac
from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from kanpu_pos import base64url
from kanpu_pos.card import cryptogram
from kanpu_pos.token import PREFIX, token_context

MALFORMED: Final = "token_malformed"
KEY_UNKNOWN: Final = "key_unknown"
UNOPENABLE: Final = "token_unopenable"
CRYPTOGRAM_WRONG: Final = "cryptogram_wrong"

REASONS: Final = {
    MALFORMED: "not 'kt1.' and the canonical base64url, without padding, of 85 bytes",
    KEY_UNKNOWN: "no private key has the id that the token names",
    UNOPENABLE: "HPKE does not open it: another purchase's context, another key, or changed bytes",
    CRYPTOGRAM_WRONG: "it opens, but the card's key did not make this answer for this purchase",
}

_SUITE: Final = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_128_GCM)


class ReasonError(Exception):
    """A token that does not open; its only argument is one of REASONS."""


def derive_card_key(issuer_key: bytes, card_id: bytes) -> bytes:
    """Return the 32 bytes of a card's key: HKDF-SHA-256 (RFC 5869) of the issuer's master key, empty salt."""
    info = b"kanpu card key v1" + card_id
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=b"", info=info).derive(issuer_key)


def open_token(
    token: str, *, private_keys: Mapping[int, X25519PrivateKey], issuer_key: bytes, terminal: str, seq: int
) -> bytes:
    """Return the card's answer of 36 bytes, its cryptogram checked; raise ReasonError."""
    context = token_context(terminal, seq)
    key_id, sealed = _taken_apart(token)
    if key_id not in private_keys:
        raise ReasonError(KEY_UNKNOWN)
    plaintext = _opened(sealed, private_keys[key_id], context)
    card_id, counter = plaintext[:16], int.from_bytes(plaintext[16:20], "big")
    expected = cryptogram(derive_card_key(issuer_key, card_id), context, counter)
    if not hmac.compare_digest(expected, plaintext[20:]):
        raise ReasonError(CRYPTOGRAM_WRONG)
    return plaintext


def _taken_apart(token: str) -> tuple[int, bytes]:
    try:
        data = base64url.decode(token.removeprefix(PREFIX))
    except ValueError:
        raise ReasonError(MALFORMED) from None
    if not token.startswith(PREFIX) or len(data) != 85:
        raise ReasonError(MALFORMED)
    return data[0], data[1:]


def _opened(sealed: bytes, private_key: X25519PrivateKey, context: bytes) -> bytes:
    try:
        return _SUITE.decrypt(sealed, private_key, info=context)
    except (InvalidTag, ValueError):  # ValueError: a public key of low order, RFC 9180, section 7.1.4
        raise ReasonError(UNOPENABLE) from None

"""Opening card tokens `kt1`, and what a card's chip computes. Pure; the private keys come as arguments.

Sources: RFC 9180 (HPKE base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM), RFC 5869 (HKDF).
Sealing is the card reader's and not here.
"""

import base64
import hmac
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from apps.kernel.errors import KanpuError

PREFIX: Final = "kt1."
CANONICAL: Final = re.compile(r"kt1\.[A-Za-z0-9_-]{113}[AQgw]")  # 1 + 32 + 52 bytes: the last has two bits only
SUITE: Final = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_128_GCM)


class Reason(StrEnum):
    """Why a token does not open, as the published vectors name it."""

    MALFORMED = "token_malformed"
    KEY_UNKNOWN = "key_unknown"
    UNOPENABLE = "token_unopenable"


class TokenUnreadable(KanpuError):
    """The token was not sealed by a reader for this terminal and number, or was altered since: `reason` says which."""

    code = "cryptogram_wrong"

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Tap(NamedTuple):
    """What a card gave a reader: 16 bytes of card_id, its counter, 16 bytes of cryptogram."""

    card_id: bytes
    counter: int
    cryptogram: bytes


class OpenedToken(NamedTuple):
    """A tap, and the number of the key it was sealed to."""

    key_id: int
    tap: Tap


def token_context(terminal_code: str, seq: int) -> bytes:
    """What binds a token to one record of one terminal."""
    return f"kanpu card token v1\n{terminal_code}\n{seq}".encode()


def open_token(token: str, context: bytes, private_keys: Mapping[int, X25519PrivateKey]) -> OpenedToken:
    """The tap inside a token. Raises TokenUnreadable."""
    raw = _token_bytes(token)
    key_id = raw[0]
    if key_id not in private_keys:
        raise TokenUnreadable(
            Reason.KEY_UNKNOWN, f"The token is sealed to key {key_id}, which is not in use. Fetch /v1/keys again."
        )
    try:
        plain = SUITE.decrypt(raw[1:], private_keys[key_id], info=context)
    except (InvalidTag, ValueError):  # ValueError: a public key of low order (RFC 9180, section 7.1.4)
        raise TokenUnreadable(Reason.UNOPENABLE, "The token does not open for this terminal and seq.") from None
    return OpenedToken(key_id, Tap(plain[:16], int.from_bytes(plain[16:20], "big"), plain[20:36]))


def _token_bytes(token: str) -> bytes:
    """The 85 bytes of a token in its one canonical spelling."""
    if not CANONICAL.fullmatch(token):
        raise TokenUnreadable(Reason.MALFORMED, "This is no kt1 token.")
    return base64.urlsafe_b64decode(token[len(PREFIX) :] + "==")


def card_key(issuer_key: bytes, card_id: bytes) -> bytes:
    """The 32-byte key on a card's chip, derived from its issuer's master key: HKDF-SHA256 with an empty salt."""
    return card_key_of(extracted(issuer_key), card_id)


def extracted(issuer_key: bytes) -> bytes:
    """The first step of HKDF (RFC 5869, section 2.2): the same for all cards of an issuer key."""
    return hmac.digest(bytes(32), issuer_key, "sha256")


def card_key_of(extracted_key: bytes, card_id: bytes) -> bytes:
    """The second step (section 2.3), of one block: the card's key."""
    return hmac.digest(extracted_key, b"kanpu card key v1" + card_id + b"\x01", "sha256")


def cryptogram_fits(tap: Tap, key: bytes, context: bytes) -> bool:
    """Whether the chip that holds `key` made this tap's cryptogram for this context (constant time)."""
    message = context + b"\n" + tap.counter.to_bytes(4, "big")
    return hmac.compare_digest(hmac.digest(key, message, "sha256")[:16], tap.cryptogram)


def card_index(index_key: bytes, card_id: bytes) -> bytes:
    """What the database knows a card by: 32 bytes, of no use without the index key."""
    return hmac.digest(index_key, b"kanpu card index v1" + card_id, "sha256")

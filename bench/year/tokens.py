"""Sealing card tokens cheaply: ephemeral keys and shared secrets of HPKE (RFC 9180, base mode) made beforehand.

A token's key depends on the shared secret and on the context, which names the terminal and the number. So from one
encapsulation many tokens can be made, each under a key of its own, and workers open each by the ordinary code at the
ordinary cost. Only the sender saves two multiplications on the curve. A real reader must not do this: two tokens with
the same encapsulated key would show that they come from one reader. Nothing here is secret, so nothing is lost.
"""

import hmac
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from kanpu_pos.base64url import encode

KEM: Final = b"KEM\x00\x20"  # DHKEM(X25519, HKDF-SHA256)
SUITE: Final = b"HPKE\x00\x20\x00\x01\x00\x01"  # with HKDF-SHA256 and AES-128-GCM
VERSION: Final = b"HPKE-v1"


def _extract(salt: bytes, suite: bytes, label: bytes, key: bytes) -> bytes:
    """LabeledExtract of RFC 9180, section 4."""
    return hmac.digest(salt, VERSION + suite + label + key, "sha256")


def _expand(key: bytes, suite: bytes, label: bytes, info: bytes, length: int) -> bytes:
    """LabeledExpand of RFC 9180, section 4, for at most 32 bytes."""
    return hmac.digest(key, length.to_bytes(2, "big") + VERSION + suite + label + info + b"\x01", "sha256")[:length]


_PSK_ID_HASH: Final = _extract(b"", SUITE, b"psk_id_hash", b"")
_INFO: Final = VERSION + SUITE + b"info_hash"
_KEY: Final = b"\x00\x10" + VERSION + SUITE + b"key\x00" + _PSK_ID_HASH
_NONCE: Final = b"\x00\x0c" + VERSION + SUITE + b"base_nonce\x00" + _PSK_ID_HASH


@dataclass(frozen=True, slots=True)
class Encapsulated:
    """A key id with an encapsulated key, and the secret that the key schedule starts from."""

    head: bytes
    secret: bytes


def encapsulate(key_id: int, public_key: X25519PublicKey) -> Encapsulated:
    """Encap and the part of KeySchedule that knows no context (RFC 9180, sections 4.1 and 5.1)."""
    ephemeral = X25519PrivateKey.generate()
    enc, recipient = ephemeral.public_key().public_bytes_raw(), public_key.public_bytes_raw()
    eae_prk = _extract(b"", KEM, b"eae_prk", ephemeral.exchange(public_key))
    shared = _expand(eae_prk, KEM, b"shared_secret", enc + recipient, 32)
    return Encapsulated(bytes((key_id,)) + enc, _extract(shared, SUITE, b"secret", b""))


def seal(one: Encapsulated, plaintext: bytes, context: bytes) -> str:
    """A token of the 36 bytes of a card's answer, under a key that is this context's alone."""
    info_hash = hmac.digest(b"", _INFO + context, "sha256")
    key = hmac.digest(one.secret, _KEY + info_hash + b"\x01", "sha256")[:16]
    nonce = hmac.digest(one.secret, _NONCE + info_hash + b"\x01", "sha256")[:12]
    return "kt1." + encode(one.head + AESGCM(key).encrypt(nonce, plaintext, None))

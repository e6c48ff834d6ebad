"""What all vectors are made from: names that stand for secrets, so that everything comes out the same each time."""

import hashlib
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

TERMINAL: Final = "tokyo-0001-03"


def fixed_bytes(name: str, size: int = 32) -> bytes:
    """Return the bytes that stand for a secret in these vectors; they protect nothing."""
    return hashlib.sha256(b"kanpu test vectors: " + name.encode()).digest()[:size]


def till_key(name: str) -> Ed25519PrivateKey:
    """Return the key that a till of that name signs with."""
    return Ed25519PrivateKey.from_private_bytes(fixed_bytes(f"till key {name}"))


def public_bytes(key: Ed25519PrivateKey) -> bytes:
    """Return the 32 bytes of a key's public half."""
    return key.public_key().public_bytes_raw()

"""Claim codes: whoever holds the receipt claims its purchase in the portal, once, without a card.

The code is 16 random bytes, printed as 26 characters of Crockford's base32: the bytes as one big-endian number, most
significant character first, so the first one is 0 to 7. The record holds only its SHA-256.
"""

import hashlib
import secrets
from typing import Final

from kanpu_pos import base64url

CLAIM_BYTES: Final = 16
CODE_LENGTH: Final = 26
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # without I, L, O and U, which are misread


def new_claim() -> bytes:
    """Return the 16 random bytes of a new claim."""
    return secrets.token_bytes(CLAIM_BYTES)


def claim_code(claim: bytes) -> str:
    """Return a claim's 26 characters."""
    number = int.from_bytes(claim, "big")
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(5 * (CODE_LENGTH - 1), -1, -5))


def claim_hash(claim: bytes) -> str:
    """Return what the sale's record holds: SHA-256 in base64url."""
    return base64url.encode(hashlib.sha256(claim).digest())


def grouped(code: str) -> str:
    """Return a claim code in groups for reading aloud: 5 5 5 5 6."""
    return "-".join((code[:5], code[5:10], code[10:15], code[15:20], code[20:]))

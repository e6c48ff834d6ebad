"""API keys, one-time codes, terminal codes and public keys: their form, and what is kept of them. Pure."""

import base64
import hashlib
import re
import secrets
from typing import Final

TERMINAL_CODE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
PUBLIC_KEY_BYTES: Final = 32
CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_BITS: Final = 128
CODE_LENGTH: Final = 26
MISREAD: Final = str.maketrans("OIL", "011", " -")


def new_key(mode: str) -> str:
    """A fresh random key of a mode (`live` or `test`)."""
    return f"kp_{mode}_{secrets.token_urlsafe(32)}"


def key_hash(key: str) -> bytes:
    """What is kept of a key: its SHA-256, 32 bytes. The key is random, so no salt is needed."""
    return hashlib.sha256(key.encode()).digest()


def new_enrolment_code() -> str:
    """A fresh one-time code: 128 random bits as 26 characters of Crockford's base32, which people can type."""
    number = secrets.randbits(CODE_BITS)
    return "".join(CROCKFORD[(number >> (5 * place)) & 31] for place in reversed(range(CODE_LENGTH)))


def enrolment_code_hash(code: str) -> bytes:
    """What is kept of a one-time code: SHA-256 of the code as it was printed, whatever case and hyphens were typed."""
    return hashlib.sha256(code.upper().translate(MISREAD).encode(errors="replace")).digest()


def read_public_key(text: str) -> bytes | None:
    """The 32 bytes of an Ed25519 key in base64url without padding, or None for anything else."""
    try:
        key = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    return key if len(key) == PUBLIC_KEY_BYTES and public_key_text(key) == text else None


def public_key_text(key: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(key).rstrip(b"=").decode()

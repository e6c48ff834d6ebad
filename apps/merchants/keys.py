"""API keys and terminal codes: their form, and what is kept of a key. Pure."""

import hashlib
import re
import secrets
from typing import Final

TERMINAL_CODE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def new_key(mode: str) -> str:
    """A fresh random key of a mode (`live` or `test`)."""
    return f"kp_{mode}_{secrets.token_urlsafe(32)}"


def key_hash(key: str) -> bytes:
    """What is kept of a key: its SHA-256, 32 bytes. The key is random, so no salt is needed."""
    return hashlib.sha256(key.encode()).digest()

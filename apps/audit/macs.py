"""Keyed hashes of states: who has the key can show that a state was this one, nobody else can guess it."""

import hashlib
import hmac
import json
from typing import Final

from django.conf import settings

KEY_HASH_BYTES: Final = 4
PURPOSE: Final = b"kanpu audit state v1"


def mac_of(state: object) -> bytes:
    """Four bytes that name the key, then HMAC-SHA256 of a state as canonical JSON."""
    key = _key(settings.SECRET_KEY)
    text = json.dumps(state, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(key).digest()[:KEY_HASH_BYTES] + hmac.digest(key, text.encode(), "sha256")


def is_mac_of(mac: bytes, state: object) -> bool:
    """Whether this was the state, under the present key or an earlier one that is still given."""
    text = json.dumps(state, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        key = _key(secret)
        if hashlib.sha256(key).digest()[:KEY_HASH_BYTES] == mac[:KEY_HASH_BYTES]:
            return hmac.compare_digest(mac[KEY_HASH_BYTES:], hmac.digest(key, text.encode(), "sha256"))
    return False


def _key(secret: str) -> bytes:
    return hmac.digest(secret.encode(), PURPOSE, "sha256")

"""The documents that keys are kept in: which keys stand in one, adding one, taking one out. Pure."""

import secrets
from enum import StrEnum
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from apps.kernel.errors import KanpuError

KEY_BYTES: Final = 32
LAST_SEALING_NUMBER: Final = 255  # a token names its key in one byte


class Kind(StrEnum):
    """The kinds of keys, as operators call them."""

    SEALING = "sealing"
    ISSUER = "issuer"
    CARD_INDEX = "card-index"
    VAULT = "vault"
    VAULT_INDEX = "vault-index"


BY_MODE: Final = (Kind.SEALING, Kind.ISSUER)
OF_THE_VAULT: Final = (Kind.VAULT, Kind.VAULT_INDEX)
LISTS: Final = {
    Kind.ISSUER: "issuer",
    Kind.CARD_INDEX: "card_index",
    Kind.VAULT: "sealing",
    Kind.VAULT_INDEX: "indexing",
}
Document = dict[str, Any]


class SealingNumbersSpent(KanpuError):
    """All 255 numbers that a token can name are used."""

    code = "sealing_numbers_spent"


def key_name(kind: Kind, version: int, mode: str = "") -> str:
    """What the database calls a key, as fingerprints name it."""
    words = [kind.replace("-", " "), mode if kind is Kind.ISSUER else "", str(version)]
    return " ".join(word for word in words if word)


def versions_in(document: Document, kind: Kind, mode: str = "") -> list[int]:
    """The versions (or numbers) of a kind of key in a document; of a mode where the kind has modes."""
    if kind is Kind.SEALING:
        return sorted(int(number) for number, key in document["sealing"].items() if mode in ("", key["mode"]))
    return sorted(key["version"] for key in document[LISTS[kind]] if mode in ("", key.get("mode", "")))


def add_key(document: Document, kind: Kind, version: int, mode: str = "") -> None:
    """Put a fresh key of a version into a document. Raises SealingNumbersSpent."""
    if kind is Kind.SEALING:
        if version > LAST_SEALING_NUMBER:
            raise SealingNumbersSpent("All numbers of sealing keys are used up: a new form of token is needed.")
        key = X25519PrivateKey.generate().private_bytes_raw().hex()
        document["sealing"][str(version)] = {"mode": mode, "private_key": key}
        return
    of_mode = {"mode": mode} if kind is Kind.ISSUER else {}
    document[LISTS[kind]].append(of_mode | {"version": version, "key": secrets.token_hex(KEY_BYTES)})


def drop_key(document: Document, kind: Kind, version: int, mode: str = "") -> None:
    """Take a key out of a document, if it is there."""
    if kind is Kind.SEALING:
        document["sealing"].pop(str(version), None)
        return
    name = LISTS[kind]
    document[name] = [
        key for key in document[name] if key["version"] != version or (mode and key.get("mode", mode) != mode)
    ]

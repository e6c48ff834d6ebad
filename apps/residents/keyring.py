"""The private keys: read from one file that only workers and card issuing are given."""

import hmac
import json
import os
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from apps.kernel.errors import KanpuError
from apps.residents.key_documents import Kind, key_name


class KeyringOutdated(KanpuError):
    """The key file is not the one that the database was made with, or lacks a key that was added since."""

    code = "keyring_outdated"


class KeyringMissing(KanpuError):
    """This process was given no keys, or a file that holds none."""

    code = "keyring_missing"


@dataclass(frozen=True, slots=True, repr=False)
class Keyring:
    """Keys in use. Sealing keys are numbered over both modes; issuer keys are (mode, version)."""

    card_index: dict[int, bytes]
    sealing: dict[int, X25519PrivateKey]
    sealing_mode: dict[int, str]
    issuer: dict[tuple[str, int], bytes]

    def fingerprints(self) -> dict[str, bytes]:
        """A name and a fingerprint for each key: 32 bytes of HMAC-SHA-256, from which no key can be had."""
        keys = {key_name(Kind.CARD_INDEX, version): key for version, key in self.card_index.items()}
        keys |= {key_name(Kind.SEALING, number): key.private_bytes_raw() for number, key in self.sealing.items()}
        keys |= {key_name(Kind.ISSUER, version, mode): key for (mode, version), key in self.issuer.items()}
        return {name: hmac.digest(key, b"kanpu key fingerprint v1", "sha256") for name, key in keys.items()}

    def only(self, names: Collection[str]) -> "Keyring":
        """The keys of these names: a file may hold ones that are not in use yet, or no more."""
        sealing = {n: key for n, key in self.sealing.items() if key_name(Kind.SEALING, n) in names}
        return Keyring(
            card_index={v: key for v, key in self.card_index.items() if key_name(Kind.CARD_INDEX, v) in names},
            sealing=sealing,
            sealing_mode={number: self.sealing_mode[number] for number in sealing},
            issuer={(m, v): key for (m, v), key in self.issuer.items() if key_name(Kind.ISSUER, v, m) in names},
        )

    @property
    def newest_card_index(self) -> int:
        """The version that new cards are indexed under."""
        return max(self.card_index)

    def newest_issuer_version(self, mode: str) -> int:
        """The version that new cards of the mode are made with."""
        return max(version for issuer_mode, version in self.issuer if issuer_mode == mode)


def load_keyring(path: Path | None) -> Keyring:
    """The keys in the file at `path`, read again only when the file is another one. Raises KeyringMissing."""
    if path is None:
        raise KeyringMissing("Set KANPU_KEYRING to the key file. API servers must not have it; workers must.")
    try:
        return _read(path, identity_of(path))
    except OSError as error:
        raise KeyringMissing(f"The key file {path} cannot be read: {error.strerror}.") from error


def identity_of(path: Path) -> tuple[int, int, int]:
    """What tells a file from the one that it replaced, even within one tick of the clock. Raises OSError."""
    status = path.stat()
    return status.st_ino, status.st_mtime_ns, status.st_size


@lru_cache(maxsize=2)
def _read(path: Path, _identity: tuple[int, int, int]) -> Keyring:
    try:
        content = json.loads(path.read_text())
        return Keyring(
            card_index={key["version"]: bytes.fromhex(key["key"]) for key in content["card_index"]},
            sealing={
                int(number): X25519PrivateKey.from_private_bytes(bytes.fromhex(key["private_key"]))
                for number, key in content["sealing"].items()
            },
            sealing_mode={int(number): key["mode"] for number, key in content["sealing"].items()},
            issuer={(key["mode"], key["version"]): bytes.fromhex(key["key"]) for key in content["issuer"]},
        )
    except (ValueError, KeyError, TypeError) as error:
        raise KeyringMissing(f"The key file {path} is damaged: {type(error).__name__}.") from error


def new_keyring_content() -> dict[str, Any]:
    """Fresh keys: one sealing key and one issuer key for each mode."""
    modes = ("live", "test")
    return {
        "card_index": [{"version": 1, "key": secrets.token_hex(32)}],
        "sealing": {
            str(number): {"mode": mode, "private_key": X25519PrivateKey.generate().private_bytes_raw().hex()}
            for number, mode in enumerate(modes, start=1)
        },
        "issuer": [{"mode": mode, "version": 1, "key": secrets.token_hex(32)} for mode in modes],
    }


def write_private(path: Path, text: str) -> None:
    """Write a new file that only its owner reads. Raises FileExistsError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", newline="") as file:
        file.write(text)

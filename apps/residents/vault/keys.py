"""The vault's keys: from a file or the environment, behind one document that a key server can give as well. Pure."""

import hmac
import json
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from apps.kernel.errors import KanpuError
from apps.residents.key_documents import Kind, key_name
from apps.residents.keyring import identity_of

KEY_BYTES: Final = 32


class VaultKeysMissing(KanpuError):
    """This process was given no vault keys, or a document that holds none."""

    code = "vault_keys_missing"


class VaultKeysOutdated(KanpuError):
    """These are not the keys that the vault was sealed with, or one that was added since is missing."""

    code = "vault_keys_outdated"


@dataclass(frozen=True, slots=True, repr=False)
class VaultKeys:
    """AES-256 keys that columns are sealed under and HMAC keys of their indexes, each by its version. New ones win."""

    sealing: Mapping[int, bytes]
    indexing: Mapping[int, bytes]

    def cipher(self, version: int) -> AESGCM:
        """The cipher of a version. Raises VaultKeysOutdated."""
        if version not in self.sealing:
            raise VaultKeysOutdated(f"The vault key {version} is missing: bring the vault's keys up to date.")
        return _cipher(self.sealing[version])

    @property
    def newest(self) -> int:
        """The version that new rows are sealed under."""
        return max(self.sealing)

    @property
    def newest_index(self) -> int:
        """The version that new indexes are made under."""
        return max(self.indexing)

    def fingerprints(self) -> dict[str, bytes]:
        """A name and a fingerprint for each key: 32 bytes of HMAC-SHA-256, from which no key can be had."""
        keys = {key_name(Kind.VAULT, version): key for version, key in self.sealing.items()}
        keys |= {key_name(Kind.VAULT_INDEX, version): key for version, key in self.indexing.items()}
        return {name: hmac.digest(key, b"kanpu key fingerprint v1", "sha256") for name, key in keys.items()}

    def only(self, names: Collection[str]) -> "VaultKeys":
        """The keys of these names: a document may hold ones that are not in use yet, or no more."""
        return VaultKeys(
            {v: key for v, key in self.sealing.items() if key_name(Kind.VAULT, v) in names},
            {v: key for v, key in self.indexing.items() if key_name(Kind.VAULT_INDEX, v) in names},
        )


@lru_cache(maxsize=8)
def _cipher(key: bytes) -> AESGCM:
    return AESGCM(key)


def vault_keys_of(text: str) -> VaultKeys:
    """The keys in a document as `new_vault_keys_content` makes it, in JSON. Raises VaultKeysMissing."""
    try:
        content = json.loads(text)
        keys = VaultKeys(_versions(content["sealing"]), _versions(content["indexing"]))
    except (ValueError, KeyError, TypeError) as error:
        raise VaultKeysMissing(f"The vault's keys are damaged: {type(error).__name__}.") from error
    if not keys.sealing or not keys.indexing:
        raise VaultKeysMissing("The vault's keys lack a key for sealing or for indexing.")
    return keys


def _versions(listed: list[dict[str, Any]]) -> dict[int, bytes]:
    found = {int(item["version"]): bytes.fromhex(item["key"]) for item in listed}
    if any(len(key) != KEY_BYTES for key in found.values()):
        raise ValueError("a key has not 32 bytes")
    return found


def read_vault_keys(path: Path) -> VaultKeys:
    """The keys in a file, read again only when the file is another one. Raises VaultKeysMissing."""
    try:
        return _read(path, identity_of(path))
    except OSError as error:
        raise VaultKeysMissing(f"The vault's keys in {path} cannot be read: {error.strerror}.") from error


@lru_cache(maxsize=2)
def _read(path: Path, _identity: tuple[int, int, int]) -> VaultKeys:
    return vault_keys_of(path.read_text())


def new_vault_keys_content() -> dict[str, Any]:
    """Fresh keys, version 1 of each kind."""
    return {name: [{"version": 1, "key": secrets.token_hex(KEY_BYTES)}] for name in ("sealing", "indexing")}

"""How a column of the vault is sealed, and how it is found without being opened. Pure.

AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce; the associated data is table, column and row, so a value moved
to another place does not open. One key may seal 2^32 values: a new version is due long before.
An encrypted individual number is still an individual number in law (Q&A 9-2 of the Personal Information Protection
Commission): neither it nor its index may leave the vault.
"""

import hmac
import os
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag

from apps.kernel.errors import KanpuError
from apps.residents.vault.keys import VaultKeys

VERSION_BYTES: Final = 2
NONCE_BYTES: Final = 12


class VaultDamaged(KanpuError):
    """A sealed value was altered, or belongs to another place."""

    code = "vault_damaged"


class Place(NamedTuple):
    """Where a sealed value stands."""

    table: str
    column: str
    row: str

    def associated_data(self) -> bytes:
        """What binds a value to its place."""
        return f"kanpu vault v1\n{self.table}\n{self.column}\n{self.row}".encode()


def seal(keys: VaultKeys, place: Place, plain: bytes) -> bytes:
    """Seal a value for its place under the newest key: version (2 bytes) ‖ nonce (12) ‖ ciphertext and tag."""
    version, nonce = keys.newest, os.urandom(NONCE_BYTES)
    sealed = keys.cipher(version).encrypt(nonce, plain, place.associated_data())
    return version.to_bytes(VERSION_BYTES, "big") + nonce + sealed


def unseal(keys: VaultKeys, place: Place, sealed: bytes) -> bytes:
    """The value again. Raises VaultKeysOutdated, and VaultDamaged for anything that was not sealed for this place."""
    version = int.from_bytes(sealed[:VERSION_BYTES], "big")
    nonce, text = sealed[VERSION_BYTES : VERSION_BYTES + NONCE_BYTES], sealed[VERSION_BYTES + NONCE_BYTES :]
    try:
        return keys.cipher(version).decrypt(nonce, text, place.associated_data())
    except (InvalidTag, ValueError):
        raise VaultDamaged(
            f"The sealed {place.column} of {place.table} {place.row} does not open with key {version}: it was altered,"
            " or belongs elsewhere. Restore it from a backup."
        ) from None


def keyed_index(keys: VaultKeys, column: str, text: str, *, version: int | None = None) -> bytes:
    """What a value is found by: HMAC-SHA-256, 32 bytes, of no use without the key. By default under the newest."""
    key = keys.indexing[version or keys.newest_index]
    return hmac.digest(key, f"kanpu vault index v1\n{column}\n{text}".encode(), "sha256")


def keyed_indexes(keys: VaultKeys, column: str, text: str) -> list[bytes]:
    """The same under every key that is in use: a row whose index is not made anew yet is found as well."""
    return [keyed_index(keys, column, text, version=version) for version in keys.indexing]

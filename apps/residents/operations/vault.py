"""Writing the vault."""

from typing import Any
from uuid import UUID

from apps.residents.models import VaultRecord
from apps.residents.vault.contents import Identity
from apps.residents.vault.keys import VaultKeys
from apps.residents.vault.rows import sealed_columns

__all__ = ["new_vault_record", "sealed_columns"]


def new_vault_record(keys: VaultKeys, ref: UUID, identity: Identity) -> VaultRecord:
    """An unsaved row for a resident who has none."""
    columns: dict[str, Any] = sealed_columns(keys, ref, identity)
    return VaultRecord(resident_id=ref, key_version=keys.newest, index_version=keys.newest_index, **columns)

"""Writing the vault."""

from typing import Any
from uuid import UUID

import msgspec

from apps.residents.models import VaultRecord
from apps.residents.vault.contents import TABLE, Identity, person_key
from apps.residents.vault.keys import VaultKeys
from apps.residents.vault.sealing import Place, keyed_index, seal


def sealed_columns(keys: VaultKeys, ref: UUID, identity: Identity) -> dict[str, bytes]:
    """What a vault row keeps of an identity: the columns that are not None, sealed, and their indexes. Pure."""
    found: dict[str, bytes] = {}
    for column in identity.__struct_fields__:
        value = getattr(identity, column)
        if value is not None:
            plain = value.encode() if isinstance(value, str) else msgspec.json.encode(value)
            found[column] = seal(keys, Place(TABLE, column, str(ref)), plain)
    for column in ("individual_number", "resident_code"):
        if text := getattr(identity, column):
            found[f"{column}_index"] = keyed_index(keys, column, text)
    if person := identity.person:
        key = person_key(person.name_kana or person.name, person.birth_date)
        found["person_index"] = keyed_index(keys, "person", key)
    return found


def new_vault_record(keys: VaultKeys, ref: UUID, identity: Identity) -> VaultRecord:
    """An unsaved row for a resident who has none."""
    columns: dict[str, Any] = sealed_columns(keys, ref, identity)
    return VaultRecord(resident_id=ref, key_version=keys.newest, index_version=keys.newest_index, **columns)

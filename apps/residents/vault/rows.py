"""What the vault's row of a resident holds: each column sealed for its place, and what the row is found by. Pure."""

from uuid import UUID

import msgspec

from apps.residents.vault.contents import TABLE, Identity, person_key
from apps.residents.vault.keys import VaultKeys
from apps.residents.vault.sealing import Place, keyed_index, seal


def sealed_columns(keys: VaultKeys, ref: UUID, identity: Identity) -> dict[str, bytes]:
    """What a vault row keeps of an identity: the columns that are not None, sealed, and their indexes."""
    return sealed_values(keys, ref, identity) | indexes_of(keys, identity)


def sealed_values(keys: VaultKeys, ref: UUID, identity: Identity) -> dict[str, bytes]:
    """The columns of an identity that are not None, sealed for this resident's row."""
    row, found = str(ref), {}
    for column in identity.__struct_fields__:
        value = getattr(identity, column)
        if value is not None:
            plain = value.encode() if isinstance(value, str) else msgspec.json.encode(value)
            found[column] = seal(keys, Place(TABLE, column, row), plain)
    return found


def indexes_of(keys: VaultKeys, identity: Identity) -> dict[str, bytes]:
    """What a row is found by, under the newest index key: for the columns that are not None."""
    found = {}
    for column in ("individual_number", "resident_code"):
        if text := getattr(identity, column):
            found[f"{column}_index"] = keyed_index(keys, column, text)
    if person := identity.person:
        key = person_key(person.name_kana or person.name, person.birth_date)
        found["person_index"] = keyed_index(keys, "person", key)
    return found

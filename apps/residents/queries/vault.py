"""Reading the vault. Who reads says why, and that is written down before anything is opened."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from django.conf import settings

from apps.audit.access import Access
from apps.audit.operations import record_accesses
from apps.kernel.errors import KanpuError
from apps.residents.models import KeyFingerprint, VaultRecord
from apps.residents.queries.keys import known_keys, lacking_key
from apps.residents.vault.contents import COLUMNS, TABLE, Address, Identity, Person, person_key
from apps.residents.vault.keys import VaultKeys, VaultKeysMissing, VaultKeysOutdated, read_vault_keys, vault_keys_of
from apps.residents.vault.sealing import Place, keyed_indexes, unseal

KINDS: Final[dict[str, Any]] = {"person": Person, "address": Address}


class ResidentUnknown(KanpuError):
    """Nobody in the vault has these particulars."""

    code = "resident_unknown"


def checked_vault_keys() -> VaultKeys:
    """The vault's keys, when they are all that the database was sealed with and the same: one query.

    Keys that the database does not know are left out. Raises VaultKeysMissing and VaultKeysOutdated.
    """
    keys = given_vault_keys()
    known = known_keys(KeyFingerprint.Ring.VAULT)
    if lacking := lacking_key(known, keys.fingerprints()):
        raise VaultKeysOutdated(f"The vault's keys lack the key {lacking!r} or have another: bring them up to date.")
    return keys.only(known)


def has_vault_keys() -> bool:
    """Whether this process was given the vault's keys."""
    return bool(settings.KANPU_VAULT_KEYS_TEXT or settings.KANPU_VAULT_KEYS)


def given_vault_keys() -> VaultKeys:
    """The keys as this process has them, whether they are in use or not. Raises VaultKeysMissing."""
    if settings.KANPU_VAULT_KEYS_TEXT:
        return vault_keys_of(settings.KANPU_VAULT_KEYS_TEXT)
    if settings.KANPU_VAULT_KEYS:
        return read_vault_keys(settings.KANPU_VAULT_KEYS)
    raise VaultKeysMissing(
        "Set KANPU_VAULT_KEYS to the vault's key file. Offices, the portal and imports need it; API servers and workers"
        " must not have it."
    )


def read_vault(refs: Sequence[UUID], columns: Sequence[str], *, access: Access, at: datetime) -> dict[UUID, Identity]:
    """Who these residents are, as far as `columns` (of contents.COLUMNS) go. Erased ones are left out.

    The access is on record, and committed, before anything is read: so this may not run in a transaction. Raises
    VaultKeysMissing, VaultKeysOutdated, VaultDamaged.
    """
    checked_vault_keys()
    record_accesses(access, refs, what="vault:" + ",".join(columns), at=at)
    rows = list(VaultRecord.objects.filter(resident__in=refs, erased_at=None).values("resident_id", *columns))
    keys = checked_vault_keys()  # after the rows: a key that one was just sealed under is among them
    return {row["resident_id"]: opened(keys, row["resident_id"], row) for row in rows}


def opened(keys: VaultKeys, ref: UUID, row: dict[str, Any]) -> Identity:
    """The vault's columns of one row. For operations that have recorded their access, or show nothing of it."""
    return Identity(**{column: _opened(keys, ref, column, row[column]) for column in COLUMNS if row.get(column)})


def _opened(keys: VaultKeys, ref: UUID, column: str, sealed: bytes | memoryview) -> Any:
    plain = unseal(keys, Place(TABLE, column, str(ref)), bytes(sealed))
    return msgspec.json.decode(plain, type=KINDS[column]) if column in KINDS else plain.decode()


def resident_by_number(individual_number: str) -> UUID:
    """Whose individual number this is. Raises ResidentUnknown, VaultKeysMissing, VaultKeysOutdated."""
    return _only("individual_number", individual_number)


def residents_by_number(individual_numbers: Iterable[str]) -> dict[str, UUID]:
    """Whose these individual numbers are, of those that are somebody's: two queries. Raises as `resident_by_number`."""
    keys = checked_vault_keys()
    indexes = {
        index: number for number in individual_numbers for index in keyed_indexes(keys, "individual_number", number)
    }
    rows = VaultRecord.objects.filter(individual_number_index__in=list(indexes))
    found = rows.values_list("individual_number_index", "resident_id")
    return {indexes[bytes(index)]: ref for index, ref in found if index}


def resident_by_code(resident_code: str) -> UUID:
    """Whose resident code this is. Raises ResidentUnknown, VaultKeysMissing, VaultKeysOutdated."""
    return _only("resident_code", resident_code)


def residents_named(name_kana: str, birth_date: date) -> list[UUID]:
    """All who have this name in kana and birth date. Raises VaultKeysMissing, VaultKeysOutdated."""
    return _found("person", person_key(name_kana, birth_date))


def _only(column: str, text: str) -> UUID:
    if not (refs := _found(column, text)):
        raise ResidentUnknown("Nobody is registered under these particulars. Check them, digit by digit.")
    return refs[0]


def _found(column: str, text: str) -> list[UUID]:
    """Whose index is that of the text, under any key; looked up again when keys were changed meanwhile."""
    keys = checked_vault_keys()
    while True:
        indexes = keyed_indexes(keys, column, text)
        refs = list(
            VaultRecord.objects.filter(**{f"{column}_index__in": indexes}).values_list("resident_id", flat=True)
        )
        if (now := checked_vault_keys()).indexing == keys.indexing:
            return refs
        keys = now

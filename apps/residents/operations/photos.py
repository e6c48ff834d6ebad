"""Pictures that residents were asked for: kept sealed, opened for an officer who is on record, deleted."""

from datetime import datetime
from uuid import UUID

from apps.audit.access import Access
from apps.audit.operations import record_accesses
from apps.residents.models import Photo
from apps.residents.operations.holding import held_vault_keys
from apps.residents.pictures import made_anew
from apps.residents.queries.vault import checked_vault_keys
from apps.residents.vault.contents import PHOTO_TABLE
from apps.residents.vault.sealing import Place, seal, unseal


def keep_photo(resident_ref: UUID, raw: bytes, *, at: datetime) -> Photo:
    """Seal a picture, made anew, in the caller's transaction. Raises PictureRefused, VaultKeysMissing."""
    picture = made_anew(raw)
    keys = held_vault_keys()
    photo = Photo(resident_id=resident_ref, key_version=keys.newest, at=at)
    photo.picture = seal(keys, Place(PHOTO_TABLE, "picture", str(photo.pk)), picture)
    photo.save(force_insert=True)
    return photo


def open_photo(photo: Photo, *, what: str, access: Access, at: datetime) -> bytes:
    """The picture as JPEG, for an officer: on record, and committed, before it is opened; not in a transaction.

    Raises VaultKeysMissing, VaultKeysOutdated, VaultDamaged.
    """
    record_accesses(access, [photo.resident_id], what=what, at=at)
    return unseal(checked_vault_keys(), Place(PHOTO_TABLE, "picture", str(photo.pk)), bytes(photo.picture))

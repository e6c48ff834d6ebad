"""Making keys: private ones in files that are never written over, public halves and fingerprints in the database."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from django.db import transaction

from apps.audit.operations import record_event
from apps.kernel.errors import KanpuError
from apps.residents.keyring import load_keyring, new_keyring_content
from apps.residents.models import KeyFingerprint, SealingKey
from apps.residents.operations.secret_files import write_once
from apps.residents.vault.keys import new_vault_keys_content, read_vault_keys


class KeysExist(KanpuError):
    """Keys are made once a database."""

    code = "keys_exist"


@transaction.atomic
def make_keys(path: Path, *, vault_path: Path, seal_until: datetime, at: datetime, actor: str) -> list[SealingKey]:
    """Fresh keys in two new files, their public halves and fingerprints in the database.

    `path` gets what workers and card issuing need, `vault_path` the vault's keys. Raises KeysExist and FileExists.
    """
    if KeyFingerprint.objects.exists():
        raise KeysExist("This database has its keys already: cards were issued and tokens sealed with them.")
    for file, content in ((path, new_keyring_content()), (vault_path, new_vault_keys_content())):
        write_once(file, json.dumps(content, indent=1))
    keyring = load_keyring(path)
    keys = SealingKey.objects.bulk_create(
        SealingKey(
            pk=number,
            mode=keyring.sealing_mode[number],
            public_key=private_key.public_key().public_bytes_raw(),
            seal_until=seal_until,
        )
        for number, private_key in keyring.sealing.items()
    )
    _keep_fingerprints(KeyFingerprint.Ring.TOKENS, keyring.fingerprints())
    _keep_fingerprints(KeyFingerprint.Ring.VAULT, read_vault_keys(vault_path).fingerprints())
    record_event(
        at=at,
        actor=actor,
        action="keys.make",
        subject="keys",
        detail={"sealing": sorted(keyring.sealing)},
    )
    return keys


def _keep_fingerprints(ring: KeyFingerprint.Ring, fingerprints: Mapping[str, bytes]) -> None:
    KeyFingerprint.objects.bulk_create(
        KeyFingerprint(ring=ring, name=name, fingerprint=fingerprint) for name, fingerprint in fingerprints.items()
    )

"""Whether a process has the right keys, and the public ones that readers seal to."""

from datetime import datetime
from pathlib import Path

from apps.residents.keyring import Keyring, KeyringOutdated, load_keyring
from apps.residents.models import KeyFingerprint, SealingKey


def checked_keyring(path: Path | None) -> Keyring:
    """The keys in the file at `path`, when they are all of the database's keys and the same: one query.

    A process with another key would reject good cards for ever, so it must not judge any. Raises KeyringMissing and
    KeyringOutdated; the file is read again at the next call.
    """
    keyring = load_keyring(path)
    found = keyring.fingerprints()
    for name, fingerprint in KeyFingerprint.objects.filter(ring=KeyFingerprint.Ring.TOKENS).values_list(
        "name", "fingerprint"
    ):
        if found.get(name) != bytes(fingerprint):
            raise KeyringOutdated(f"The key file {path} lacks the key {name!r} or has another: bring it up to date.")
    return keyring


def sealing_keys(mode: str, *, now: datetime) -> list[SealingKey]:
    """The keys of a mode that readers may still seal to, the newest last."""
    return list(SealingKey.objects.filter(mode=mode, seal_until__gt=now).order_by("seal_until", "pk"))

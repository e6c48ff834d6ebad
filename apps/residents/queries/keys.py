"""Whether a process has the right keys, and the public ones that readers seal to."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from apps.residents.keyring import Keyring, KeyringOutdated, load_keyring
from apps.residents.models import KeyFingerprint, SealingKey


def checked_keyring(path: Path | None) -> Keyring:
    """The keys of the database in the file at `path`, when it has all of them and the same: one query.

    A process with another key would reject good cards for ever, so it must not judge any. Keys that the database does
    not know are left out: nobody may use them yet, or any more. Raises KeyringMissing and KeyringOutdated; the file is
    read again at the next call.
    """
    keyring = load_keyring(path)
    known = known_keys(KeyFingerprint.Ring.TOKENS)
    if lacking := lacking_key(known, keyring.fingerprints()):
        raise KeyringOutdated(f"The key file {path} lacks the key {lacking!r} or has another: bring it up to date.")
    return keyring.only(known)


def check_still_current(keyring: Keyring) -> None:
    """Raise KeyringOutdated when the database's keys are others than when this ring was checked: one query.

    Whoever is about to say that a token or a card is unknown asks first, because keys change while workers work.
    """
    if known_keys(KeyFingerprint.Ring.TOKENS).keys() != keyring.fingerprints().keys():
        raise KeyringOutdated("Keys were changed meanwhile: what could not be judged is judged again.")


def known_keys(ring: KeyFingerprint.Ring) -> dict[str, bytes]:
    """The fingerprints of the keys in use, by name: one query."""
    rows = KeyFingerprint.objects.filter(ring=ring).values_list("name", "fingerprint")
    return {name: bytes(fingerprint) for name, fingerprint in rows}


def lacking_key(known: Mapping[str, bytes], found: Mapping[str, bytes]) -> str | None:
    """The first of the known keys that was not found, or was found with another fingerprint."""
    return next((name for name, fingerprint in known.items() if found.get(name) != fingerprint), None)


def sealing_keys(mode: str, *, now: datetime) -> list[SealingKey]:
    """The keys of a mode that readers may still seal to, the newest last."""
    return list(SealingKey.objects.filter(mode=mode, seal_until__gt=now).order_by("seal_until", "pk"))

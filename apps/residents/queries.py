"""Reading the register."""

from collections.abc import Collection
from datetime import date, datetime
from pathlib import Path
from uuid import UUID

from apps.residents.judging import CardRecord, is_resident
from apps.residents.keyring import Keyring, KeyringOutdated, load_keyring
from apps.residents.models import Card, KeyFingerprint, Resident, SealingKey, TestCard
from apps.residents.published import PUBLISHED


def cards_by_index(indexes: Collection[bytes]) -> dict[bytes, CardRecord]:
    """The cards of these keyed indexes: one query."""
    rows = Card.objects.filter(card_index__in=indexes).values_list(
        "card_index", "pk", "resident_id", "resident__mode", "issuer_version",
        "valid_from", "valid_until", "suspended_from", "replaced_from", "resident__resident_from",
        "resident__resident_to",
    )  # fmt: skip
    return {bytes(row[0]): CardRecord(*row[1:]) for row in rows}


def checked_keyring(path: Path | None) -> Keyring:
    """The keys in the file at `path`, when they are all of the database's keys and the same: one query.

    A process with another key would reject good cards for ever, so it must not judge any. Raises KeyringMissing and
    KeyringOutdated; the file is read again at the next call.
    """
    keyring = load_keyring(path)
    found = keyring.fingerprints()
    for name, fingerprint in KeyFingerprint.objects.values_list("name", "fingerprint"):
        if found.get(name) != bytes(fingerprint):
            load_keyring.cache_clear()
            raise KeyringOutdated(f"The key file {path} lacks the key {name!r} or has another: bring it up to date.")
    return keyring


def sealing_keys(mode: str, *, now: datetime) -> list[SealingKey]:
    """The keys of a mode that readers may still seal to, the newest last."""
    return list(SealingKey.objects.filter(mode=mode, seal_until__gt=now).order_by("seal_until", "pk"))


def published_cards() -> list[TestCard]:
    """The published test cards, in the order in which they are explained: one query."""
    names = list(PUBLISHED)
    return sorted(TestCard.objects.all(), key=lambda card: names.index(card.name))


def mode_of_resident(ref: UUID) -> str:
    """Whether a resident is live or one of test mode."""
    return Resident.objects.values_list("mode", flat=True).get(pk=ref)


def was_resident(ref: UUID, day: date) -> bool:
    """Whether somebody was resident on a day of the scheme's time zone: one query."""
    return is_resident(day, *Resident.objects.values_list("resident_from", "resident_to").get(pk=ref))


def residents_without_card() -> list[Resident]:
    """Residents who have no card yet."""
    return list(Resident.objects.filter(cards=None).order_by("pk"))

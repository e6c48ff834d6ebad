"""Rotating keys: a new one is added to the file, then switched on in the database, then rows are moved to it.

A process leaves alone what the database does not know, so a file may be handed to all hosts before its new key is
switched on. From then on a process without it does nothing until it has it. Each part may be done again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import F, Max
from django.db.models.functions import Least

from apps.audit.operations import record_event
from apps.kernel.errors import KanpuError
from apps.kernel.progress import Seen, nothing_seen
from apps.residents.key_documents import BY_MODE, OF_THE_VAULT, Kind, add_key, drop_key, key_name
from apps.residents.keyring import load_keyring
from apps.residents.models import Card, KeyFingerprint, SealingKey
from apps.residents.operations.holding import Lock, alone, wait_for_writers
from apps.residents.operations.moving import HOLDINGS, Keys, move_all, to_move
from apps.residents.operations.secret_files import KeyFileFixed, change_key_file
from apps.residents.queries import checked_keyring
from apps.residents.queries.key_status import listed_versions, ring_of, rows_under, versions_in_use
from apps.residents.queries.vault import checked_vault_keys, given_vault_keys
from apps.schemes.queries import started_years


class NoNewKey(KanpuError):
    """There is nothing to switch on."""

    code = "no_new_key"


class KeyUnknown(KanpuError):
    """Neither the database nor this process has this key."""

    code = "key_unknown"


class KeyInUse(KanpuError):
    """Something still needs this key."""

    code = "key_in_use"


class OverlapTooLong(KanpuError):
    """Readers take the key with the latest end: the new one must last longer than the old."""

    code = "overlap_too_long"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Which kind of key is changed, by whom and when. `mode` is "" where a kind has no modes."""

    kind: Kind
    mode: str
    at: datetime
    actor: str

    def name(self, version: int) -> str:
        """What the database calls a key of this kind."""
        return key_name(self.kind, version, self.mode)

    def record(self, action: str, version: int, **detail: object) -> None:
        """Put it on the trail."""
        subject = f"key:{self.name(version)}"
        record_event(at=self.at, actor=self.actor, action=action, subject=subject, detail=detail)


class Rotated(NamedTuple):
    """What was done: the newest key, whether it is new in the file and in use, rows moved, rows that are damaged."""

    key: str
    version: int
    added: bool
    switched_on: bool
    moved: int
    damaged: list[str]


def rotate(
    change: Change,
    *,
    seal_days: int = 730,
    overlap_days: int = 30,
    add_only: bool = False,
    use_only: bool = False,
    seen: Seen = nothing_seen,
) -> Rotated:
    """A new key of a kind, with every row moved to it; what an earlier rotation left is finished first, instead.

    `add_only` puts a key into the file and stops; `use_only` goes on from there. Readers may seal to a new sealing key
    for `seal_days`, to the ones before it for `overlap_days` more. Raises WorkRunning, NoNewKey, OverlapTooLong,
    KeyFileFixed, SealingNumbersSpent, and that keys are missing or outdated.
    """
    if overlap_days >= seal_days:
        raise OverlapTooLong("Give the new key more days than the old one: readers take the one that ends last.")
    with alone(Lock.ROTATING, "rotating keys"):
        keys = _checked_keys(change.kind)
        waiting = _waiting(change)
        unfinished = change.kind in HOLDINGS and waiting is None and to_move(change.kind, keys) > 0
        added = waiting is None and not use_only and (add_only or not unfinished)
        if added:
            waiting = _add(change)
        if add_only:
            return Rotated(change.name(waiting or 0), waiting or 0, added, False, 0, [])
        if waiting:
            _switch_on(change, waiting, change.at + timedelta(days=seal_days), change.at + timedelta(days=overlap_days))
        elif not unfinished:
            raise NoNewKey("This process has no key of this kind that is not in use. Add one first: --add-only")
        moved, damaged = (
            move_all(change.kind, _checked_keys(change.kind), seen=seen) if change.kind in HOLDINGS else (0, [])
        )
        version = versions_in_use(change.kind, change.mode)[-1]
    return Rotated(change.name(version), version, added, bool(waiting), moved, damaged)


def _checked_keys(kind: Kind) -> Keys:
    """What rows of a kind are moved with; cards' numbers are sealed as the vault is."""
    keyring = None if kind in OF_THE_VAULT else checked_keyring(settings.KANPU_KEYRING)
    return Keys(keyring, None if kind in BY_MODE else checked_vault_keys())


def _waiting(change: Change) -> int | None:
    """The version in this process's file that is newer than all that are in use."""
    newest = versions_in_use(change.kind, change.mode)[-1]
    return max((v for v in listed_versions(change.kind, change.mode) if v > newest), default=None)


def _add(change: Change) -> int:
    """Add a fresh key to the file. Returns its version, which no key of the kind ever had."""
    modes = ("live", "test") if change.kind is Kind.SEALING else (change.mode,)  # numbers are of both modes
    had = {v for mode in modes for v in (*listed_versions(change.kind, mode), *versions_in_use(change.kind, mode))}
    if change.kind is Kind.SEALING:
        had |= set(SealingKey.objects.values_list("pk", flat=True))
    version = max(had) + 1
    change_key_file(_file_of(change.kind), lambda document: add_key(document, change.kind, version, change.mode))
    change.record("keys.add", version)
    return version


def _file_of(kind: Kind) -> Path:
    path = settings.KANPU_VAULT_KEYS if kind in OF_THE_VAULT else settings.KANPU_KEYRING
    if path is None:
        raise KeyFileFixed("These keys come from no file. Add a version where they are kept, then go on with --use.")
    return Path(path)


@transaction.atomic
def _switch_on(change: Change, version: int, seal_until: datetime, overlap_until: datetime) -> None:
    """Let the database know the key: from now on it is used, and who lacks it stops."""
    wait_for_writers()  # who looks and then writes does not look under keys of before
    ring = ring_of(change.kind)
    keys = given_vault_keys() if change.kind in OF_THE_VAULT else load_keyring(settings.KANPU_KEYRING)
    name = change.name(version)
    KeyFingerprint.objects.create(ring=ring, name=name, fingerprint=keys.fingerprints()[name])
    detail: dict[str, object] = {}
    if change.kind is Kind.SEALING:
        older = SealingKey.objects.filter(mode=change.mode)
        older.update(seal_until=Least(F("seal_until"), overlap_until))
        public_key = load_keyring(settings.KANPU_KEYRING).sealing[version].public_key().public_bytes_raw()
        SealingKey.objects.create(pk=version, mode=change.mode, public_key=public_key, seal_until=seal_until)
        detail = {"seal_until": seal_until.isoformat(), "older_until": overlap_until.isoformat()}
    change.record("keys.rotate", version, **detail)


class Retired(NamedTuple):
    """What was done: whether the database knew the key till now, and whether the file had it."""

    key: str
    was_in_use: bool
    was_in_file: bool


def retire(change: Change, version: int, *, force: bool = False) -> Retired:
    """Take an old key out of use and out of this process's file.

    Refused while rows stand under it, and, unless `force`d, while purchases may still come that need it. Raises
    KeyInUse, KeyUnknown, WorkRunning, KeyFileFixed.
    """
    with alone(Lock.ROTATING, "rotating keys"):
        is_listed = version in listed_versions(change.kind, change.mode)
        was_in_use = _take_out_of_use(change, version, force=force)
        if not was_in_use and not is_listed:
            raise KeyUnknown(f"There is no key {change.name(version)!r}. See manage.py keys_status")
        if is_listed:
            change_key_file(
                _file_of(change.kind), lambda document: drop_key(document, change.kind, version, change.mode)
            )
    return Retired(change.name(version), was_in_use, is_listed)


@transaction.atomic
def _take_out_of_use(change: Change, version: int, *, force: bool) -> bool:
    wait_for_writers()
    in_use = versions_in_use(change.kind, change.mode)
    if version not in in_use:
        return False
    if version == in_use[-1]:
        raise KeyInUse(f"The key {change.name(version)!r} is the newest: rotate first, then retire the old one.")
    if change.kind in HOLDINGS:
        _refuse_with_rows(change, version)
    elif not force:
        _refuse_while_awaited(change, version)
    KeyFingerprint.objects.filter(name=change.name(version)).delete()
    if change.kind is Kind.SEALING:  # its number is never given again
        SealingKey.objects.filter(pk=version).update(seal_until=Least(F("seal_until"), change.at))
    change.record("keys.retire", version, forced=force)
    return True


def _refuse_with_rows(change: Change, version: int) -> None:
    count = rows_under(change.kind).get(version, 0)
    if change.kind is Kind.CARD_INDEX:  # that could not be moved, and have ended
        gone = Card.objects.filter(index_version=version, sealed_card_id=None, valid_until__lte=change.at)
        count -= gone.count()
    if not count:
        return
    raise KeyInUse(
        f"{count:,} rows stand under the key {change.name(version)!r}. Move them: manage.py rotate_keys {change.kind}"
        " (cards that were issued without the vault's keys cannot be moved: wait until they have expired)."
    )


def _refuse_while_awaited(change: Change, version: int) -> None:
    """Tills work offline: what was made with the key is taken until the filing deadline of its year."""
    if change.kind is Kind.SEALING:
        last = SealingKey.objects.get(pk=version).seal_until
    else:
        cards = Card.objects.filter(resident__mode=change.mode, issuer_version=version)
        last = cards.aggregate(last=Max("valid_until"))["last"]
    if last is None:
        return
    deadlines = [year.deadline_at for year in started_years() if year.starts_at <= last]
    until = max([last, *deadlines])
    if until > change.at:
        raise KeyInUse(
            f"Purchases that need the key {change.name(version)!r} may come until {until:%Y-%m-%d}. Retire it then, or"
            " give --force, and they are rejected."
        )

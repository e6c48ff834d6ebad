"""Every key: whether it is in use, whether this process has it, what stands under it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from django.conf import settings
from django.db.models import Count, Model

from apps.merchants.models import Mode
from apps.residents.key_documents import BY_MODE, OF_THE_VAULT, Kind, key_name
from apps.residents.keyring import KeyringMissing, load_keyring
from apps.residents.models import (
    Card,
    HouseholdIndex,
    KeyFingerprint,
    PaymentAccount,
    Photo,
    SealingKey,
    VaultRecord,
)
from apps.residents.queries.keys import known_keys
from apps.residents.queries.vault import given_vault_keys
from apps.residents.vault.keys import VaultKeysMissing

# Tables whose rows say under which version of a kind of key they stand.
TABLES: Final[Mapping[Kind, tuple[tuple[type[Model], str], ...]]] = {
    Kind.CARD_INDEX: ((Card, "index_version"),),
    Kind.VAULT: (
        (VaultRecord, "key_version"),
        (Card, "key_version"),
        (HouseholdIndex, "key_version"),
        (Photo, "key_version"),
        (PaymentAccount, "key_version"),
    ),
    Kind.VAULT_INDEX: ((VaultRecord, "index_version"), (HouseholdIndex, "index_version")),
}
Ring = KeyFingerprint.Ring


class KeyStatus(NamedTuple):
    """A key. `rows` are those under it (cards, under an issuer's key); nobody knows how many tokens are sealed to one.

    `here` is whether this process has it: yes, no, another (one of that name that differs), not given (it has none).
    """

    name: str
    kind: str
    mode: str
    version: int
    in_use: bool
    newest: bool
    here: str
    rows: int | None
    seal_until: datetime | None


def ring_of(kind: Kind) -> Ring:
    """Which processes hold keys of this kind."""
    return Ring.VAULT if kind in OF_THE_VAULT else Ring.TOKENS


def listed_versions(kind: Kind, mode: str = "") -> list[int]:
    """The versions of a kind of key in this process's file, in use or not. Raises KeyringMissing, VaultKeysMissing."""
    if kind in OF_THE_VAULT:
        keys = given_vault_keys()
        return sorted(keys.sealing if kind is Kind.VAULT else keys.indexing)
    ring = load_keyring(settings.KANPU_KEYRING)
    if kind is Kind.SEALING:
        return sorted(number for number in ring.sealing if mode == ring.sealing_mode[number])
    return sorted(ring.card_index if kind is Kind.CARD_INDEX else (v for m, v in ring.issuer if m == mode))


def versions_in_use(kind: Kind, mode: str = "") -> list[int]:
    """The versions of a kind of key that the database knows."""
    return _versions(kind, mode, known_keys(ring_of(kind)))


def _versions(kind: Kind, mode: str, names: Mapping[str, bytes]) -> list[int]:
    prefix = key_name(kind, 0, mode).removesuffix("0")
    found = {int(name[len(prefix) :]) for name in names if name.startswith(prefix) and name[len(prefix) :].isdigit()}
    if kind is Kind.SEALING:
        found &= set(SealingKey.objects.filter(mode=mode).values_list("pk", flat=True))
    return sorted(found)


def rows_under(kind: Kind, mode: str = "") -> dict[int, int]:
    """How many rows stand under each version: one query a table."""
    counts: dict[int, int] = {}
    if kind is Kind.ISSUER:
        rows = Card.objects.filter(resident__mode=mode).values_list("issuer_version").annotate(Count("pk"))
        return dict(rows.order_by())
    for model, column in TABLES.get(kind, ()):
        present = model._default_manager.exclude(**{column: None}).values_list(column)
        for version, count in present.annotate(Count("pk")).order_by():
            counts[version] = counts.get(version, 0) + count
    return counts


def key_statuses() -> list[KeyStatus]:
    """Every key that the database or this process knows, by kind, mode and version."""
    found = []
    for kind in Kind:
        for mode in Mode.values if kind in BY_MODE else [""]:
            found += _statuses(kind, mode)
    return found


def _statuses(kind: Kind, mode: str) -> list[KeyStatus]:
    known, given = known_keys(ring_of(kind)), _given_fingerprints(kind)
    in_use, rows = _versions(kind, mode, known), rows_under(kind, mode)
    listed = listed_versions(kind, mode) if given is not None else []
    until = dict(SealingKey.objects.filter(mode=mode).values_list("pk", "seal_until")) if kind is Kind.SEALING else {}
    return [
        KeyStatus(
            name := key_name(kind, version, mode), kind, mode, version,
            in_use=version in in_use, newest=version == max(in_use, default=0),
            here=_whether_here(name, known, given),
            rows=None if kind is Kind.SEALING else rows.get(version, 0), seal_until=until.get(version),
        )
        for version in sorted({*in_use, *listed})
    ]  # fmt: skip


def _given_fingerprints(kind: Kind) -> Mapping[str, bytes] | None:
    try:
        keys = given_vault_keys() if kind in OF_THE_VAULT else load_keyring(settings.KANPU_KEYRING)
    except (KeyringMissing, VaultKeysMissing):
        return None
    return keys.fingerprints()


def _whether_here(name: str, known: Mapping[str, bytes], given: Mapping[str, bytes] | None) -> str:
    if given is None:
        return "not given"
    if name not in given:
        return "no"
    return "yes" if known.get(name, given[name]) == given[name] else "another"

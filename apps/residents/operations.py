"""Registering residents, making keys, issuing cards."""

import csv
import io
import json
import secrets
from collections.abc import Iterable
from datetime import date, datetime, time
from pathlib import Path
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection, transaction
from psycopg.types.range import DateRange

from apps.audit.operations import record_event
from apps.kernel.errors import KanpuError
from apps.merchants.models import Mode
from apps.residents.keyring import Keyring, load_keyring, new_keyring_content, write_private
from apps.residents.models import Attribute, Card, KeyFingerprint, Membership, Resident, SealingKey
from apps.residents.queries import checked_keyring, residents_without_card
from apps.residents.tokens import card_index, card_key

CARD_YEARS = 10
PERSONALISATION_COLUMNS = (
    "resident_ref",
    "resident_code",
    "card_id",
    "card_key",
    "valid_from",
    "valid_until",
)


class KeysExist(KanpuError):
    """Keys are made once a database."""

    code = "keys_exist"


class FileExists(KanpuError):
    """A file of secrets is never written over."""

    code = "file_exists"


@transaction.atomic
def register_residents(starts: Iterable[date], *, mode: Mode = Mode.LIVE, at: datetime, actor: str) -> list[Resident]:
    """A new resident for each first day of residence."""
    residents = Resident.objects.bulk_create([Resident(mode=mode, resident_from=start) for start in starts])
    record_event(at=at, actor=actor, action="resident.register", subject="residents", detail={"count": len(residents)})
    return residents


class Home(NamedTuple):
    """A resident's stay in a household, from the first of a month to before the first of another (None: open)."""

    resident_ref: UUID
    household_ref: UUID
    start: date
    end: date | None = None
    is_head: bool = False
    payee_ref: UUID | None = None


@transaction.atomic
def place_in_households(homes: Iterable[Home], *, at: datetime, actor: str) -> int:
    """Record who lives in which household from when to when. Returns how many stays.

    The database refuses a resident in two households at a time, and two heads of one.
    """
    rows = Membership.objects.bulk_create(
        Membership(
            resident_id=home.resident_ref, household_ref=home.household_ref, valid=DateRange(home.start, home.end),
            is_head=home.is_head, payee_id=home.payee_ref,
        )
        for home in homes
    )  # fmt: skip
    record_event(at=at, actor=actor, action="household.place", subject="households", detail={"count": len(rows)})
    return len(rows)


@transaction.atomic
def set_attributes(values: Iterable[tuple[UUID, str, int | str]], *, start: date, at: datetime, actor: str) -> int:
    """Record attributes (`attr_…`) of residents from a day on. Returns how many."""
    rows = Attribute.objects.bulk_create(
        Attribute(resident_id=ref, name=name, value=value, valid=DateRange(start, None)) for ref, name, value in values
    )
    record_event(at=at, actor=actor, action="attribute.set", subject="attributes", detail={"count": len(rows)})
    return len(rows)


def hold_register() -> None:
    """Let nobody change residents, households or attributes until the caller's transaction ends; reading goes on."""
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE residents_resident, residents_membership, residents_attribute IN SHARE MODE")


@transaction.atomic
def make_keys(path: Path, *, seal_until: datetime, at: datetime, actor: str) -> list[SealingKey]:
    """Fresh keys in a new file at `path`, their public halves in the database. Raises KeysExist and FileExists."""
    if KeyFingerprint.objects.exists():
        raise KeysExist("This database has its keys already: cards were issued and tokens sealed with them.")
    content = new_keyring_content()
    _write_once(path, json.dumps(content, indent=1))
    load_keyring.cache_clear()  # of another file that was at this path
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
    KeyFingerprint.objects.bulk_create(
        KeyFingerprint(name=name, fingerprint=fingerprint) for name, fingerprint in keyring.fingerprints().items()
    )
    record_event(
        at=at,
        actor=actor,
        action="keys.make",
        subject="sealing keys",
        detail={"ids": sorted(keyring.sealing)},
    )
    return keys


@transaction.atomic
def issue_cards(path: Path, *, valid_from: date | None, at: datetime, actor: str) -> int:
    """A card for every resident who has none; the personalisation file at `path` gets what the chips need.

    Valid from `valid_from`, by default from the first day of residence. Returns how many. Raises FileExists and
    KeyringMissing.
    """
    keyring = checked_keyring(settings.KANPU_KEYRING)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(PERSONALISATION_COLUMNS)
    cards = []
    for resident in residents_without_card():
        card_id = secrets.token_bytes(16)
        card = _new_card(keyring, resident, card_id, valid_from or resident.resident_from)
        key = card_key(keyring.issuer[resident.mode, card.issuer_version], card_id)
        days = (card.valid_from.date().isoformat(), card.valid_until.date().isoformat())
        writer.writerow([resident.ref, "", card_id.hex(), key.hex(), *days])
        cards.append(card)
    Card.objects.bulk_create(cards, batch_size=10_000)
    record_event(at=at, actor=actor, action="card.issue", subject="cards", detail={"count": len(cards)})
    _write_once(path, text.getvalue())
    return len(cards)


def _new_card(keyring: Keyring, resident: Resident, card_id: bytes, first_day: date) -> Card:
    zone = ZoneInfo(settings.TIME_ZONE)
    is_leap_day = (first_day.month, first_day.day) == (2, 29)  # it has no anniversary ten years on
    last = first_day.replace(year=first_day.year + CARD_YEARS, day=28 if is_leap_day else first_day.day)
    return Card(
        card_index=card_index(keyring.card_index_key, card_id),
        resident=resident,
        issuer_version=keyring.newest_issuer_version(resident.mode),
        valid_from=datetime.combine(first_day, time(), zone),
        valid_until=datetime.combine(last, time(), zone),
    )


def _write_once(path: Path, text: str) -> None:
    try:
        write_private(path, text)
    except FileExistsError:
        raise FileExists(f"{path} is there already and holds secrets: move it away or name another file.") from None

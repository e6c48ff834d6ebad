"""Issuing cards."""

import csv
import io
import secrets
from datetime import date, datetime, time
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction

from apps.audit.operations import record_event
from apps.residents.keyring import Keyring
from apps.residents.models import Card, Resident
from apps.residents.operations.secret_files import write_once
from apps.residents.queries import checked_keyring, residents_without_card
from apps.residents.tokens import card_index, card_key

CARD_YEARS: Final = 10
PERSONALISATION_COLUMNS: Final = (
    "resident_ref",
    "resident_code",
    "card_id",
    "card_key",
    "valid_from",
    "valid_until",
)


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
    write_once(path, text.getvalue())
    return len(cards)


def _new_card(keyring: Keyring, resident: Resident, card_id: bytes, first_day: date) -> Card:
    zone = ZoneInfo(settings.TIME_ZONE)
    is_leap_day = (first_day.month, first_day.day) == (2, 29)  # it has no anniversary ten years on
    last = first_day.replace(year=first_day.year + CARD_YEARS, day=28 if is_leap_day else first_day.day)
    return Card(
        card_index=card_index(keyring.card_index[keyring.newest_card_index], card_id),
        index_version=keyring.newest_card_index,
        resident=resident,
        issuer_version=keyring.newest_issuer_version(resident.mode),
        valid_from=datetime.combine(first_day, time(), zone),
        active_from=datetime.combine(first_day, time(), zone),
        valid_until=datetime.combine(last, time(), zone),
    )

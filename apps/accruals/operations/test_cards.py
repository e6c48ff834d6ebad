"""Making the published test cards, and the test residents who hold them."""

import secrets
from datetime import UTC, date, datetime
from typing import Final

from django.db import transaction
from psycopg.types.multirange import Multirange
from psycopg.types.range import Int8Range, TimestamptzRange

from apps.accruals.models import CardCounter
from apps.audit.operations import record_event
from apps.merchants.models import Mode
from apps.residents.keyring import Keyring
from apps.residents.models import Card, CardSuspension, Resident, TestCard
from apps.residents.operations import register_residents
from apps.residents.operations.holding import held_keyring
from apps.residents.published import PUBLISHED
from apps.residents.tokens import card_index, card_key

SINCE: Final = date(2000, 1, 1)
UNTIL: Final = datetime(2100, 1, 1, tzinfo=UTC)
ALL_COUNTERS: Final = Multirange([Int8Range(0, 2**32)])


@transaction.atomic
def make_test_cards(*, at: datetime, actor: str) -> int:
    """The published test cards, with a test resident each; again is harmless. Returns how many were made.

    Raises KeyringMissing.
    """
    if TestCard.objects.exists():
        return 0
    keyring = held_keyring()
    residents = register_residents([SINCE] * len(PUBLISHED), mode=Mode.TEST, at=at, actor=actor)
    for name, resident in zip(PUBLISHED, residents, strict=True):
        _make(keyring, name, resident)
    record_event(at=at, actor=actor, action="card.publish", subject="test cards", detail={"names": list(PUBLISHED)})
    return len(PUBLISHED)


def _make(keyring: Keyring, name: str, resident: Resident) -> None:
    card_id, version = secrets.token_bytes(16), keyring.newest_issuer_version(Mode.TEST)
    key = card_key(keyring.issuer[Mode.TEST, version], card_id)
    TestCard.objects.create(name=name, card_id=card_id, card_key=key)
    if PUBLISHED[name].code == "card_unknown":
        return
    since = datetime(SINCE.year, SINCE.month, SINCE.day, tzinfo=UTC)
    card = Card.objects.create(
        card_index=card_index(keyring.card_index[keyring.newest_card_index], card_id),
        index_version=keyring.newest_card_index, resident=resident, issuer_version=version,
        valid_from=since, valid_until=UNTIL, active_from=since,
    )  # fmt: skip
    if PUBLISHED[name].code == "card_suspended":
        CardSuspension.objects.create(
            card=card, valid=TimestamptzRange(since, None), channel=CardSuspension.Channel.WINDOW,
            reported_at=since, reported_by="published",
        )  # fmt: skip
    if PUBLISHED[name].code == "card_cloned":  # every counter is spent, so each use is a second one
        CardCounter.objects.create(resident_ref=resident.ref, card=card.pk, used=ALL_COUNTERS)

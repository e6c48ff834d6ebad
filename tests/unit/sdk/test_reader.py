"""Virtual readers: which key they seal with, and when they refuse."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from kanpu_pos import base64url
from kanpu_pos.card import CounterExhaustedError, VirtualCard
from kanpu_pos.errors import KanpuPosError
from kanpu_pos.fields import FieldError
from kanpu_pos.reader import NoSealingKey, SealingKey, VirtualReader
from kanpu_pos.token import TokenError

from .vectors import reference

NOW = datetime(2017, 4, 3, 0, 30, tzinfo=UTC)
ISSUER_KEY = bytes(range(32))
CARD_ID = bytes(range(16))
PRIVATE = X25519PrivateKey.from_private_bytes(bytes(range(1, 33)))


def key_row(key_id: int = 1, days: float = 1.0) -> dict[str, object]:
    return {
        "id": key_id,
        "public_key": base64url.encode(PRIVATE.public_key().public_bytes_raw()),
        "seal_until": (NOW + timedelta(days=days)).isoformat(),
    }


def new_card(counter: int = 0) -> VirtualCard:
    return VirtualCard(CARD_ID, reference.derive_card_key(ISSUER_KEY, CARD_ID), counter)


@pytest.mark.parametrize(
    ("keys", "chosen"),
    [
        ([(1, 5), (2, 30)], 2),
        ([(2, 5), (1, 30)], 1),
        ([(3, 30), (7, 30), (5, 30)], 7),
        ([(1, 5), (2, -1)], 1),
    ],
)
def test_the_key_that_lasts_longest_is_used_then_the_highest_id(keys: list[tuple[int, float]], chosen: int) -> None:
    for order in (keys, keys[::-1]):
        assert VirtualReader(key_row(*key) for key in order).sealing_key(NOW).id == chosen


def test_a_sealed_tap_opens_for_its_purchase() -> None:
    card = new_card(41)
    token = VirtualReader([key_row(9)]).seal(card, terminal="tokyo-0001-03", seq=7, now=NOW)
    answer = reference.open_token(
        token, private_keys={9: PRIVATE}, issuer_key=ISSUER_KEY, terminal="tokyo-0001-03", seq=7
    )
    assert answer[:20] == CARD_ID + (42).to_bytes(4, "big")
    assert card.counter == 42


def test_a_key_ends_at_its_instant() -> None:
    reader = VirtualReader([key_row(days=1)])
    end = NOW + timedelta(days=1)
    assert reader.sealing_key(end - timedelta(microseconds=1)).id == 1
    with pytest.raises(NoSealingKey, match=r"key 1, ended at 2017-04-04.*fetch new ones with GET /v1/keys"):
        reader.sealing_key(end)


def test_a_reader_without_keys_says_how_to_get_them() -> None:
    with pytest.raises(NoSealingKey, match="fetch them with GET /v1/keys"):
        VirtualReader([]).sealing_key(NOW)


def test_a_purchase_that_cannot_be_sealed_does_not_use_up_a_tap() -> None:
    card, reader = new_card(), VirtualReader([key_row()])
    with pytest.raises(FieldError):
        reader.seal(card, terminal="tokyo-0001-03", seq=0, now=NOW)
    with pytest.raises(NoSealingKey):
        reader.seal(card, terminal="tokyo-0001-03", seq=1, now=NOW + timedelta(days=2))
    assert card.counter == 0


def test_a_worn_out_card_is_not_sealed() -> None:
    with pytest.raises(CounterExhaustedError):
        VirtualReader([key_row()]).seal(new_card(2**32 - 1), terminal="t", seq=1, now=NOW)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"id": 0}, TokenError),
        ({"id": 256}, TokenError),
        ({"id": True}, TokenError),
        ({"id": "1"}, TokenError),
        ({"id": None}, TokenError),
        ({"public_key": "AAAA"}, TokenError),
        ({"public_key": None}, TokenError),
        ({"public_key": "A" * 43 + "="}, TokenError),
        ({"seal_until": "2017-04-03"}, FieldError),
        ({"seal_until": "2017-04-03T00:00:00"}, FieldError),
        ({"seal_until": None}, FieldError),
    ],
)
def test_a_key_out_of_form_is_refused(change: dict[str, Any], error: type[KanpuPosError]) -> None:
    with pytest.raises(error):
        SealingKey.from_json({**key_row(), **change})

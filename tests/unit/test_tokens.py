import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from apps.residents.judging import CardRecord, is_resident, judge_card
from apps.residents.tokens import TokenUnreadable, card_key, cryptogram_fits, open_token, token_context

VECTORS = json.loads((Path(__file__).resolve().parents[2] / "sdk" / "vectors" / "card_token.json").read_text())
KEYS = {
    key["id"]: X25519PrivateKey.from_private_bytes(bytes.fromhex(key["private_key"])) for key in VECTORS["sealing_keys"]
}


@pytest.mark.parametrize("vector", VECTORS["opens"], ids=lambda vector: vector["name"])
def test_a_published_token_opens_to_its_card(vector: dict[str, Any]) -> None:
    context = token_context(vector["terminal"], vector["seq"])
    opened = open_token(vector["token"], context, KEYS)
    assert opened.key_id == vector["key_id"]
    assert opened.tap.card_id.hex() == vector["card_id"]
    assert opened.tap.counter == vector["counter"]
    key = card_key(bytes.fromhex(vector["issuer_key"]), opened.tap.card_id)
    assert key.hex() == vector["card_key"]
    assert cryptogram_fits(opened.tap, key, context)


@pytest.mark.parametrize("vector", VECTORS["does_not_open"], ids=lambda vector: vector["name"])
def test_a_published_false_token_is_refused(vector: dict[str, Any]) -> None:
    context = token_context(vector["terminal"], vector["seq"])
    if vector["reason"] == "cryptogram_wrong":
        tap = open_token(vector["token"], context, KEYS).tap
        assert not cryptogram_fits(tap, card_key(bytes.fromhex(vector["issuer_key"]), tap.card_id), context)
    else:
        with pytest.raises(TokenUnreadable):
            open_token(vector["token"], context, KEYS)


START = datetime(2017, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("changes", "at", "expected"),
    [
        ({}, START, "counted"),
        ({}, START - SECOND, "rejected card_not_valid"),
        ({}, START + 9 * SECOND, "counted"),
        ({}, START + 10 * SECOND, "rejected card_not_valid"),
        ({"suspended": ((START + 5 * SECOND, None),)}, START + 4 * SECOND, "counted"),
        ({"suspended": ((START + 5 * SECOND, None),)}, START + 5 * SECOND, "held card_suspended"),
        ({"replaced_from": START + 5 * SECOND}, START + 4 * SECOND, "counted"),
        ({"replaced_from": START + 5 * SECOND}, START + 5 * SECOND, "held card_replaced"),
    ],
)
def test_the_cards_state_at_the_purchases_time_decides(changes: dict[str, Any], at: datetime, expected: str) -> None:
    fields: dict[str, Any] = {"active_from": START, "replaced_from": None} | changes
    fields |= {"resident_from": date(2016, 1, 1), "resident_to": None}
    card = CardRecord(1, UUID(int=1), "live", 1, START, START + 10 * SECOND, **fields)
    judgement = judge_card(card, at, date(2017, 1, 1))
    assert f"{judgement.verdict} {judgement.code}".strip() == expected


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2017, 3, 31), "rejected card_not_valid"),
        (date(2017, 4, 1), "counted"),
        (date(2017, 8, 31), "counted"),
        (date(2017, 9, 1), "rejected card_not_valid"),
    ],
)
def test_what_was_bought_outside_the_time_of_residence_is_not_counted(day: date, expected: str) -> None:
    lived = (date(2017, 4, 1), date(2017, 9, 1))
    card = CardRecord(1, UUID(int=1), "live", 1, START, START + timedelta(days=900), START, None, *lived)
    judgement = judge_card(card, datetime(day.year, day.month, day.day, tzinfo=UTC), day)
    assert f"{judgement.verdict} {judgement.code}".strip() == expected
    assert is_resident(day, date(2017, 4, 1), None) is (day >= date(2017, 4, 1))

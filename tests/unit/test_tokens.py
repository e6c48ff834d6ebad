import base64
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from kanpu_pos import VirtualCard, VirtualReader
from kanpu_pos.token import token_context as sdk_context

from apps.residents.judging import CardRecord, is_resident, judge_card
from apps.residents.tokens import (
    SUITE,
    Reason,
    Tap,
    TokenUnreadable,
    card_key,
    cryptogram_fits,
    open_token,
    token_context,
)
from tests.till import b64

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


def reason_of(token: str, terminal: str, seq: int, issuer_key: bytes, keys: dict[int, X25519PrivateKey]) -> str:
    """Why the server would not count a tap, in the vectors' words."""
    context = token_context(terminal, seq)
    try:
        tap = open_token(token, context, keys).tap
    except TokenUnreadable as error:
        return error.reason
    return "opens" if cryptogram_fits(tap, card_key(issuer_key, tap.card_id), context) else "cryptogram_wrong"


@pytest.mark.parametrize("vector", VECTORS["does_not_open"], ids=lambda vector: vector["name"])
def test_a_published_false_token_is_refused_for_its_reason(vector: dict[str, Any]) -> None:
    issuer_key = bytes.fromhex(vector["issuer_key"])
    assert reason_of(vector["token"], vector["terminal"], vector["seq"], issuer_key, KEYS) == vector["reason"]


def test_the_reasons_are_the_published_ones_and_tills_read_one_code() -> None:
    assert {*Reason, TokenUnreadable.code} == set(VECTORS["reasons"])


@pytest.mark.parametrize("vector", VECTORS["opens"], ids=lambda vector: vector["name"])
def test_one_flipped_bit_anywhere_in_a_token_is_refused_for_its_reason(vector: dict[str, Any]) -> None:
    raw = base64.urlsafe_b64decode(vector["token"].removeprefix("kt1.") + "==")
    issuer_key, reasons = bytes.fromhex(vector["issuer_key"]), []
    for bit in range(8 * len(raw)):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        expected = "token_unopenable" if flipped[0] in KEYS else "key_unknown"
        token = "kt1." + base64.urlsafe_b64encode(flipped).rstrip(b"=").decode()
        assert reason_of(token, vector["terminal"], vector["seq"], issuer_key, KEYS) == expected, bit
        reasons.append(expected)
    assert len(reasons) == 680
    assert reasons.count("token_unopenable") >= 672


@pytest.mark.parametrize("vector", VECTORS["opens"], ids=lambda vector: vector["name"])
def test_a_token_opens_for_its_record_with_its_keys_only(vector: dict[str, Any]) -> None:
    token, terminal, seq, key_id = (vector[name] for name in ("token", "terminal", "seq", "key_id"))
    issuer_key = bytes.fromhex(vector["issuer_key"])
    others = {n: key for n, key in KEYS.items() if n != key_id}
    swapped = {key_id: next(iter(others.values()))}
    wrong = {
        "another terminal": reason_of(token, "another", seq, issuer_key, KEYS),
        "a terminal that goes on as the number does": reason_of(token, f"{terminal}{seq}", seq, issuer_key, KEYS),
        "another number": reason_of(token, terminal, seq - 1 or 2, issuer_key, KEYS),
        "no such key": reason_of(token, terminal, seq, issuer_key, others),
        "another key of that number": reason_of(token, terminal, seq, issuer_key, swapped),
        "another issuer": reason_of(token, terminal, seq, bytes(32), KEYS),
    }
    assert wrong == {
        "another terminal": "token_unopenable",
        "a terminal that goes on as the number does": "token_unopenable",
        "another number": "token_unopenable",
        "no such key": "key_unknown",
        "another key of that number": "token_unopenable",
        "another issuer": "cryptogram_wrong",
    }


@pytest.mark.parametrize("vector", VECTORS["opens"], ids=lambda vector: vector["name"])
def test_a_cards_answer_is_of_its_number_its_counter_and_its_purchase_only(vector: dict[str, Any]) -> None:
    """Sealed rightly, by a reader that altered what the card said."""
    context, plain = bytes.fromhex(vector["context"]), bytes.fromhex(vector["plaintext"])
    key = card_key(bytes.fromhex(vector["issuer_key"]), plain[:16])
    tap = Tap(plain[:16], vector["counter"], plain[20:])
    assert cryptogram_fits(tap, key, context)
    for counter in {0, vector["counter"] - 1, (vector["counter"] + 1) % 2**32} - {vector["counter"]}:
        assert not cryptogram_fits(tap._replace(counter=counter), key, context)
    for bit in range(128):
        altered = (int.from_bytes(tap.cryptogram, "big") ^ 1 << bit).to_bytes(16, "big")
        assert not cryptogram_fits(tap._replace(cryptogram=altered), key, context)
        other = (int.from_bytes(tap.card_id, "big") ^ 1 << bit).to_bytes(16, "big")
        assert card_key(bytes.fromhex(vector["issuer_key"]), other) != key


@pytest.mark.parametrize("vector", VECTORS["opens"], ids=lambda vector: vector["name"])
def test_the_till_makes_of_a_card_what_the_vectors_say_and_the_server_opens_it(vector: dict[str, Any]) -> None:
    """All that is not drawn at random: the context, the chip's answer, the number of the key, the token's form."""
    card = VirtualCard.from_hex(vector["card_id"], vector["card_key"], counter=vector["counter"] - 1)
    public_key = b64(KEYS[vector["key_id"]].public_key().public_bytes_raw())
    reader = VirtualReader([{"id": vector["key_id"], "public_key": public_key, "seal_until": "2099-01-01T00:00:00Z"}])
    context = sdk_context(vector["terminal"], vector["seq"])
    assert context.hex() == vector["context"] == token_context(vector["terminal"], vector["seq"]).hex()
    token = reader.seal(card, terminal=vector["terminal"], seq=vector["seq"], now=START)
    opened = open_token(token, context, KEYS)
    plain = opened.tap.card_id + opened.tap.counter.to_bytes(4, "big") + opened.tap.cryptogram
    assert (plain.hex(), opened.key_id, len(token)) == (vector["plaintext"], vector["key_id"], len(vector["token"]))
    assert token != vector["token"]


def test_hpke_is_that_of_rfc_9180() -> None:
    """Appendix A.1.1 (DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM, base mode).

    Its messages have associated data, ours have none; so its first message is sealed anew, without, under the very key
    and nonce that the RFC gives for it.
    """
    recipient = X25519PrivateKey.from_private_bytes(
        bytes.fromhex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8")
    )
    enc = bytes.fromhex("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431")
    key, nonce = bytes.fromhex("4531685d41d65f03dc48f6b8302c05b0"), bytes.fromhex("56d890e5accaaf011cff4b7d")
    message, info = b"Beauty is truth, truth beauty", b"Ode on a Grecian Urn"
    published = "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a"
    assert AESGCM(key).encrypt(nonce, message, b"Count-0").hex() == published
    assert SUITE.decrypt(enc + AESGCM(key).encrypt(nonce, message, b""), recipient, info=info) == message


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

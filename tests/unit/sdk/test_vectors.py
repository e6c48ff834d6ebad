"""Every published vector, reckoned again by hand: with hashlib and cryptography, and none of the library's code."""

import base64
import hashlib
import json
from collections import Counter
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from .vectors import FOLDER, document, make

RECORDS = document("lines.json")["records"]
SIGNATURES = document("signatures.json")
CLAIMS = document("claims.json")
CLOSINGS = document("closings.json")
BATCHES = document("batches.json")
SEALED = [sequence for sequence in BATCHES["sequences"] if sequence["sealed"]]

CODES_OF_A_RECORD = {
    "seq_conflict", "record_malformed", "year_not_open", "year_closed", "from_the_future", "tier_unknown",
    "tier_not_in_force", "amount_invalid", "card_and_claim",
}  # fmt: skip
CODES_OF_A_REQUEST = {
    "malformed", "key_invalid", "terminal_not_yours", "batch_too_large", "unsupported_media_type", "seal_missing",
    "chain_broken", "seal_mismatch",
}  # fmt: skip


def named(vector: dict[str, Any]) -> str:
    name: str = vector["name"]
    return name


def line_by_hand(record: dict[str, Any]) -> str:
    """The protocol's six fields of a record in JSON."""
    kind = record.get("kind", "sale")
    of = f"{record['of']['terminal']}:{record['of']['seq']}" if "of" in record else "-"
    amounts = ",".join(f"{row['tier']}={row['amount']}" for row in record.get("lines", record.get("totals", [])))
    if kind == "closing":
        amounts = f"{record['year']}:{amounts}"
    if "sold_at" in record:
        amounts = f"{record['sold_at']}@{amounts}"
    payer = record.get("card") or record.get("claim") or "-"
    return "\n".join([str(record["seq"]), record["at"], kind, payer, of, amounts])


def digest_by_hand(terminal: str, lines: list[str]) -> bytes:
    digest = hashlib.sha256(b"kanpu chain v1\n" + terminal.encode()).digest()
    for line in lines:
        digest = hashlib.sha256(digest + line.encode()).digest()
    return digest


def spelt(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@pytest.mark.parametrize(
    "name", [path.name for path in sorted(FOLDER.glob("*.json")) if path.name != "card_token.json"]
)
def test_what_is_checked_in_is_what_make_writes(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == make.text_of(make.DOCUMENTS[name]()) + "\n"


@pytest.mark.parametrize("vector", RECORDS, ids=named)
def test_a_line_is_what_the_record_says(vector: dict[str, Any]) -> None:
    assert json.loads(vector["json"]) == vector["record"]
    assert line_by_hand(vector["record"]) == vector["line"]


def test_there_is_a_line_of_every_kind() -> None:
    kinds = {vector["record"].get("kind", "sale") for vector in RECORDS}
    assert kinds == {"sale", "return", "void", "correction", "unused", "closing"}


@pytest.mark.parametrize("chain", document("chains.json")["chains"], ids=lambda chain: chain["terminal"])
def test_a_chain_has_each_digest(chain: dict[str, Any]) -> None:
    lines = [record["line"] for record in chain["records"]]
    assert [int(line.split("\n")[0]) for line in lines] == list(range(1, len(lines) + 1))
    assert digest_by_hand(chain["terminal"], []).hex() == chain["digest_0"]
    for count, record in enumerate(chain["records"], start=1):
        assert digest_by_hand(chain["terminal"], lines[:count]).hex() == record["digest"]


def reason_of(seal: dict[str, str], *, expected_head: bytes, public_key: bytes) -> str:
    try:
        head, signature = (base64.urlsafe_b64decode(seal[name] + "==") for name in ("head", "signature"))
    except ValueError:
        return "seal_malformed"
    if (len(head), len(signature)) != (32, 64) or (spelt(head), spelt(signature)) != (seal["head"], seal["signature"]):
        return "seal_malformed"
    if head != expected_head:
        return "head_wrong"
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, head)
    except InvalidSignature:
        return "signature_wrong"
    return "verifies"


@pytest.mark.parametrize("vector", SIGNATURES["verifies"] + SIGNATURES["does_not_verify"], ids=named)
def test_a_seal_verifies_or_has_its_reason(vector: dict[str, str]) -> None:
    head, key = bytes.fromhex(SIGNATURES["expected_head"]), bytes.fromhex(vector["public_key"])
    assert reason_of(vector, expected_head=head, public_key=key) == vector.get("reason", "verifies")


@pytest.mark.parametrize("vector", SIGNATURES["verifies"], ids=named)
def test_a_seal_is_made_again_from_its_private_key(vector: dict[str, str]) -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(vector["private_key"]))
    assert key.public_key().public_bytes_raw().hex() == vector["public_key"]
    assert spelt(key.sign(bytes.fromhex(SIGNATURES["expected_head"]))) == vector["signature"]


def test_the_seals_have_every_reason_and_are_of_the_published_chain() -> None:
    assert {vector["reason"] for vector in SIGNATURES["does_not_verify"]} == set(SIGNATURES["reasons"])
    chain = next(c for c in document("chains.json")["chains"] if c["terminal"] == SIGNATURES["terminal"])
    assert chain["records"][-1]["digest"] == SIGNATURES["expected_head"]


def code_by_hand(data: bytes) -> str:
    number, characters = int(data.hex(), 16), ""
    for _ in range(26):
        number, digit = divmod(number, 32)
        characters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"[digit] + characters
    return characters


@pytest.mark.parametrize("vector", CLAIMS["claims"], ids=named)
def test_a_claim_has_its_code_and_its_hash(vector: dict[str, str]) -> None:
    data = bytes.fromhex(vector["bytes"])
    assert (code_by_hand(data), spelt(hashlib.sha256(data).digest())) == (vector["code"], vector["claim"])


Amounts = Counter[str]


def totals_by_hand(records: list[dict[str, Any]], year: int) -> dict[str, int]:
    """Each record of the year adds what the terminal's books say after it, less what they said before it."""
    totals: Amounts = Counter()
    for count, record in enumerate(records, start=1):
        if datetime.fromisoformat(record["at"]).astimezone(ZoneInfo(CLOSINGS["time_zone"])).year == year:
            totals.update(books_by_hand(records[:count]))
            totals.subtract(books_by_hand(records[: count - 1]))
    return {tier: amount for tier, amount in totals.items() if amount}


def books_by_hand(records: list[dict[str, Any]]) -> Amounts:
    """All sales as corrected less all returns as corrected; a void sale stands for what had been returned of it."""
    sales: dict[int, Amounts] = {}
    returns: dict[int, Amounts] = {}
    sale_of: dict[int, int] = {}
    voided: set[int] = set()
    for record in records:
        kind, seq = record.get("kind", "sale"), record["seq"]
        target = record["of"]["seq"] if "of" in record and record["of"]["terminal"] == CLOSINGS["terminal"] else 0
        lines = Counter({row["tier"]: row["amount"] for row in record.get("lines", ())})
        book = sales if target in sales else returns
        if kind == "sale":
            sales[seq] = lines
        elif kind == "return":
            returns[seq], sale_of[seq] = lines, target
        elif target in book and target not in voided:
            if kind == "void":
                voided.add(target)
                lines = Counter()
                for other, returned in returns.items():
                    lines.update(returned if sale_of[other] == target else ())
            book[target] = lines
    total: Amounts = Counter()
    for amounts in sales.values():
        total.update(amounts)
    for amounts in returns.values():
        total.subtract(amounts)
    return total


@pytest.mark.parametrize("vector", CLOSINGS["cases"], ids=named)
def test_a_closing_says_what_the_records_add_up_to(vector: dict[str, Any]) -> None:
    records = [json.loads(record["json"]) for record in vector["records"]]
    assert [record["seq"] for record in records] == list(range(1, len(records) + 1))
    assert [line_by_hand(record) for record in records] == [record["line"] for record in vector["records"]]
    for closing in vector["closings"]:
        totals = {row["tier"]: row["amount"] for row in closing["totals"] if row["amount"]}
        assert totals == totals_by_hand(records, closing["year"])


def error_codes(answers: list[dict[str, Any]]) -> set[str]:
    return {answer["error"]["code"] for answer in answers if "error" in answer}


def test_the_batches_have_every_code_that_a_batch_can_be_answered_with() -> None:
    answers = [request["answer"] for sequence in BATCHES["sequences"] for request in sequence["requests"]]
    assert error_codes(answers) == CODES_OF_A_REQUEST
    results = [row for answer in answers if answer["status"] == 200 for row in answer["body"]["results"]]
    assert error_codes(results) == CODES_OF_A_RECORD


@pytest.mark.parametrize("sequence", BATCHES["sequences"], ids=named)
def test_an_answer_accounts_for_every_record(sequence: dict[str, Any]) -> None:
    for request in sequence["requests"]:
        if request["answer"]["status"] == 200:
            body = request["answer"]["body"]
            count = len(request["body"]["purchases"]) + request.get("repeat", 1) - 1
            assert body["accepted"] + body["duplicates"] + body["rejected"] == count
            statuses = [row["status"] for row in body["results"]]
            assert (statuses.count("duplicate"), statuses.count("rejected")) == (body["duplicates"], body["rejected"])


@pytest.mark.parametrize("sequence", SEALED, ids=named)
def test_the_seals_of_a_sequence_are_what_their_names_say(sequence: dict[str, Any]) -> None:
    lines: dict[int, str] = {}
    for request in sequence["requests"]:
        records = {record["seq"]: line_by_hand(record) for record in request["body"]["purchases"]}
        if "seal" in request and request["answer"].get("error", {}).get("code") != "chain_broken":
            covered = [
                line for _, line in sorted((lines | records).items()) if int(line.split("\n")[0]) <= max(records)
            ]
            head = digest_by_hand(BATCHES["terminal"], covered)
            reason = reason_of(
                request["body"]["seal"], expected_head=head, public_key=bytes.fromhex(BATCHES["public_key"])
            )
            expected = {"right": "verifies", "head_before": "head_wrong", "another_key": "signature_wrong"}
            assert reason == expected.get(request["seal"], "seal_malformed")
        lines |= records if request["answer"]["status"] == 200 else {}

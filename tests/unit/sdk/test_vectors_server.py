"""The server's own rules, which share no code with the till's library, agree with the published vectors."""

import json
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from apps.accruals.claims import ClaimCodeInvalid, claim_of
from apps.kernel.periods import Period
from apps.merchants.requests import ApiError
from apps.purchases.acceptance import Defect, Standing, Till, YearRules
from apps.purchases.chain import (
    ChainBroken,
    Seal,
    SealMismatch,
    SealMissing,
    check_continues,
    check_seal,
    extended,
    first_digest,
    head_after,
)
from apps.purchases.closings import Books, differences
from apps.purchases.decisions import Decided, decide_all, new_seqs
from apps.purchases.ranges import Ranges, gaps, merge, next_number, to_ranges
from apps.purchases.records import Malformed, Record, read_record
from apps.purchases.serializers import read_envelope

from .vectors import document

SIGNATURES = document("signatures.json")
CLAIMS = document("claims.json")
CLOSINGS = document("closings.json")
BATCHES = document("batches.json")
GIVEN = BATCHES["given"]
ZONE = ZoneInfo(GIVEN["the time zone"])
PUBLIC_KEY = bytes.fromhex(BATCHES["public_key"])


def named(vector: dict[str, Any]) -> str:
    name: str = vector["name"]
    return name


@pytest.mark.parametrize("chain", document("chains.json")["chains"], ids=lambda chain: chain["terminal"])
def test_a_chain_has_the_published_digests(chain: dict[str, Any]) -> None:
    digest = first_digest(chain["terminal"])
    assert digest.hex() == chain["digest_0"]
    for record in chain["records"]:
        digest = extended(digest, record["line"])
        assert digest.hex() == record["digest"]


def seal_of(vector: dict[str, str]) -> Seal:
    sent = {"terminal": "x", "purchases": [], "seal": {"head": vector["head"], "signature": vector["signature"]}}
    seal = read_envelope(json.dumps(sent).encode()).read_seal()
    assert seal is not None
    return seal


@pytest.mark.parametrize("vector", SIGNATURES["verifies"], ids=named)
def test_a_published_seal_holds(vector: dict[str, str]) -> None:
    check_seal(seal_of(vector), bytes.fromhex(SIGNATURES["expected_head"]), bytes.fromhex(vector["public_key"]))


@pytest.mark.parametrize("vector", SIGNATURES["does_not_verify"], ids=named)
def test_a_published_false_seal_does_not(vector: dict[str, str]) -> None:
    head, key = bytes.fromhex(SIGNATURES["expected_head"]), bytes.fromhex(vector["public_key"])
    named = "" if vector["reason"] == "seal_malformed" else vector["reason"].removesuffix("_wrong")
    with pytest.raises(SealMismatch, match=named):
        check_seal(seal_of(vector), head, key)


@pytest.mark.parametrize("vector", CLAIMS["claims"], ids=named)
def test_a_published_code_finds_its_claim(vector: dict[str, str]) -> None:
    assert claim_of(vector["code"]) == vector["claim"]


@pytest.mark.parametrize("spelling", CLAIMS["read_alike"]["spellings"])
def test_a_code_is_read_as_people_type_it(spelling: str) -> None:
    assert claim_of(spelling) == CLAIMS["read_alike"]["claim"]


@pytest.mark.parametrize("name", CLAIMS["no_codes"])
def test_what_is_no_code_finds_nothing(name: str) -> None:
    with pytest.raises(ClaimCodeInvalid):
        claim_of(CLAIMS["no_codes"][name])


@pytest.mark.parametrize("vector", CLOSINGS["cases"], ids=named)
def test_a_terminals_books_say_what_the_published_closing_says(vector: dict[str, Any]) -> None:
    for closing in vector["closings"]:
        books = Books(CLOSINGS["terminal"], closing["year"], ZoneInfo(CLOSINGS["time_zone"]), 1, {})
        for record in vector["records"]:
            books.take(record["seq"], record["line"])
        assert books.unknown == set()
        assert differences({row["tier"]: row["amount"] for row in closing["totals"]}, books.totals) == []


def years() -> list[YearRules]:
    tiers = {tier["code"]: [Period(date.fromisoformat(tier["from"]))] for tier in GIVEN["the tiers"]}
    return [
        YearRules(
            year=row["year"],
            starts_at=datetime(row["year"], 1, 1, tzinfo=ZONE),
            ends_at=datetime(row["year"] + 1, 1, 1, tzinfo=ZONE),
            deadline_at=datetime.fromisoformat(row["deadline_at"]),
            zone=ZONE,
            tiers=tiers,
        )
        for row in GIVEN["the years"]
    ]


@dataclass
class Terminal:
    """A terminal of the server's rules alone, without its database."""

    sealed: bool
    received: Ranges = field(default_factory=list)
    standing: dict[int, Standing] = field(default_factory=dict)
    head: bytes = first_digest(BATCHES["terminal"])

    def take(self, body: bytes) -> dict[str, Any]:
        """The answer to a batch, in the form of the vectors."""
        try:
            envelope = read_envelope(body)
            records = [read_record(bytes(raw)) for raw in envelope.purchases]
            if self.sealed:
                self.check_seal(records, envelope.read_seal())
        except (ApiError, SealMissing, SealMismatch) as error:
            return {"error": {"code": error.code}}
        except ChainBroken as error:
            return {"error": {"code": error.code, "next_seq": next_number(self.received)}}
        till, now = Till(BATCHES["terminal"], {}), datetime.fromisoformat(GIVEN["the time now"])
        decided = decide_all(records, till, self.standing, years(), now)
        self.received = merge(self.received, to_ranges(new_seqs(decided)))
        return {"body": self.answer(decided)}

    def check_seal(self, records: list[Record | Malformed], seal: Seal | None) -> None:
        if seal is None:
            raise SealMissing
        new = check_continues(records, next_number(self.received), self.standing)
        head = head_after(self.head, [record.line for record in new])
        if new:
            check_seal(seal, head, PUBLIC_KEY)
            self.head = head

    def answer(self, decided: Decided) -> dict[str, Any]:
        rows: list[tuple[int, int | None, str, Defect | None]]
        rows = [(d.index, d.seq, "duplicate", d.defect) for d in decided.duplicates]
        rows += [(r.index, r.seq, "rejected", r.defect) for r in decided.refusals]
        results = []
        for index, seq, status, defect in sorted(rows, key=lambda row: row[0]):
            result: dict[str, Any] = {"index": index, "seq": seq, "status": status}
            if defect:
                param = f"purchases[{index}].{defect.param}" if defect.param else f"purchases[{index}]"
                result["error"] = {"code": defect.code, "param": param}
            results.append(result)
        return {
            "accepted": len(decided.accepted),
            "duplicates": len(decided.duplicates),
            "rejected": len(decided.refusals),
            "results": results,
            "terminal": {
                "next_seq": next_number(self.received),
                "missing": [list(gap) for gap in gaps(self.received, most=100)],
            },
        }


def body_of(request: dict[str, Any]) -> bytes:
    if "body_text" in request:
        return bytes(request["body_text"].encode())
    body = json.loads(json.dumps(request["body"]))
    *_, last = body["purchases"] or [None]
    body["purchases"] += [last | {"seq": last["seq"] + n} for n in range(1, request.get("repeat", 1))]
    return json.dumps(body).encode().ljust(request.get("pad_to_bytes", 0))


def assert_has(expected: Any, answer: Any) -> None:
    """`answer` has all that `expected` names, and may have more."""
    if isinstance(expected, dict):
        for name, value in expected.items():
            assert name in answer
            assert_has(value, answer[name])
    elif isinstance(expected, list):
        assert len(expected) == len(answer)
        for one, other in zip(expected, answer, strict=True):
            assert_has(one, other)
    else:
        assert expected == answer


# Keys, headers, other terminals and the size in bytes are a matter of HTTP: they are played against a real server.
OF_HTTP = {"key_invalid", "terminal_not_yours", "unsupported_media_type"}


def is_of_http(request: dict[str, Any]) -> bool:
    code = request["answer"].get("error", {}).get("code")
    return code in OF_HTTP or "headers" in request or "pad_to_bytes" in request


@pytest.mark.parametrize("sequence", BATCHES["sequences"], ids=named)
def test_the_servers_rules_answer_a_sequence_as_published(sequence: dict[str, Any]) -> None:
    terminal = Terminal(sequence["sealed"])
    for request in sequence["requests"]:
        if not is_of_http(request):
            expected = {name: value for name, value in request["answer"].items() if name != "status"}
            assert_has(expected, terminal.take(body_of(request)))

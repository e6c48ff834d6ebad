"""The conformance kit, as a vendor types it, against a real server with real workers."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command
from django.utils import timezone
from kanpu_pos import Client, Till, Unused
from kanpu_pos.conformance import read_report

from apps.merchants.models import ConformanceReport, Mode, Terminal, Vendor
from apps.merchants.operations import (
    ConformanceMissing,
    authorise_vendor,
    create_vendor,
    enrol_terminal,
    issue_vendor_key,
)
from apps.merchants.queries import find_merchant
from apps.simulator.processes import Processes
from tests.unit.sdk.test_vectors import digest_by_hand, line_by_hand, spelt
from tests.unit.sdk.test_vectors_server import assert_has
from tests.unit.sdk.vectors import document
from tests.world import World

from .altering import Alter, Answer, altering

pytestmark = pytest.mark.django_db(transaction=True)

BATCHES = document("batches.json")
SDK = Path(__file__).parents[3] / "sdk"
TILL = "acme-till-1"
SOFTWARE = "acme/till/4.2"


def play(url: str, key: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    vendor, product, version = SOFTWARE.split("/")
    named = ["--vendor", vendor, "--product", product, "--version", version, "--out", str(folder / "report.json")]
    return subprocess.run(
        [sys.executable, "-m", "kanpu_pos.cli", "conformance", "--url", url, "--key", key, *named, *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(SDK)},
    )


def enrol(code: str) -> Ed25519PrivateKey:
    """A sealed terminal of the test merchant."""
    key = Ed25519PrivateKey.generate()
    public_key = key.public_key().public_bytes_raw()
    enrol_terminal(find_merchant("Tests"), code, public_key=public_key, at=timezone.now(), actor="test")
    return key


def sell(web: str, api_key: str, folder: Path, *, software: str = SOFTWARE) -> None:
    """A vendor's till does what the kit asks of one."""
    key = enrol(TILL)
    with Client(web, api_key, timeout_s=10, software=software) as client:
        cards = {card.name: card.card for card in client.test_cards()}
        with Till(folder / "till", terminal=TILL, client=client) as till:
            till.use_key(key)
            till.refresh()
            first = till.sell((("reduced", 1080), ("standard", 550)), card=cards["standard"]).seq
            second = till.sell((("reduced", 540),), card=cards["standard"]).seq
            third = till.sell((("standard", 100),), card=cards["standard"]).seq
            till.sell((("reduced", 200),), card=cards["held"])
            till.sell((("reduced", 300),), claim=True)
            till.unused(till.reserve())
            till.return_goods((TILL, first), (("reduced", 80),))
            till.void(second)
            till.correct(third, (("standard", 110),))
            till.close_day()
            till.send()


def accept(path: Path, **options: Any) -> None:
    call_command("accept_conformance_report", str(path), **options)


def test_every_case_holds_of_our_server_and_a_till_and_the_report_is_accepted(
    world: World, web: str, workers: Processes, tmp_path: Path
) -> None:
    sell(web, world.test_key, tmp_path)
    done = play(web, world.test_key, tmp_path, "--till-terminal", TILL)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "FAILED" not in done.stdout

    path = tmp_path / "report.json"
    signer = json.loads(path.read_text())["terminal"]
    report = read_report(path, bytes(Terminal.objects.get(code=signer).public_key or b""))
    assert {case["outcome"] for case in report["cases"]} == {"passed"}
    assert all(case["request_ids"] for case in report["cases"])
    assert report["till"]["code"] == TILL

    vendor = create_vendor("acme", at=timezone.now(), actor="test")
    with pytest.raises(ConformanceMissing):
        issue_vendor_key(vendor, mode=Mode.LIVE, name="live", at=timezone.now(), actor="test")
    accept(path)
    assert ConformanceReport.objects.get().version == "4.2"
    assert issue_vendor_key(vendor, mode=Mode.LIVE, name="live", at=timezone.now(), actor="test").key


@pytest.fixture
def small_report(world: World, web: str, workers: Processes, tmp_path: Path) -> Path:
    """A report of a few cases, of a vendor on record and its till."""
    sell(web, world.test_key, tmp_path)
    create_vendor("acme", at=timezone.now(), actor="test")
    done = play(web, world.test_key, tmp_path, "--till-terminal", TILL, "--only", "chain")
    assert done.returncode == 0, done.stdout
    return tmp_path / "report.json"


def resigned(path: Path, **changes: Any) -> None:
    """Change a report as its vendor could, who has the signing key: here that of a terminal put in its place."""
    key = Ed25519PrivateKey.generate()
    envelope = json.loads(path.read_text())
    Terminal.objects.filter(code=envelope["terminal"]).update(public_key=key.public_key().public_bytes_raw())
    text = json.dumps(json.loads(envelope["report"]) | {"complete": True} | changes)
    signature = base64.urlsafe_b64encode(key.sign(text.encode())).decode().rstrip("=")
    path.write_text(json.dumps({**envelope, "report": text, "signature": signature}))


def test_a_report_is_held_against_the_records(small_report: Path, world: World, web: str, tmp_path: Path) -> None:
    path = small_report
    with pytest.raises(CommandError, match="Not all cases were played"):
        accept(path)
    path.write_text(path.read_text().replace("4.2", "4.3"))
    with pytest.raises(CommandError, match="changed after it was signed"):
        accept(path)
    resigned(path, version="4.3")
    with pytest.raises(CommandError, match=r"Nothing on acme-till-1 was sent by acme/till/4\.3"):
        accept(path)
    report = json.loads(json.loads(path.read_text())["report"])
    failed = [{**report["cases"][0], "outcome": "failed"}, *report["cases"][1:]]
    resigned(path, version="4.2", cases=failed)
    with pytest.raises(CommandError, match="did not pass"):
        accept(path)
    resigned(path, cases=report["cases"], terminals=[{**report["terminals"][0], "next_seq": 99}])
    with pytest.raises(CommandError, match="does not stand where the report says"):
        accept(path)
    resigned(path, terminals=report["terminals"], till={**report["till"], "head": "A" * 43})
    with pytest.raises(CommandError, match="never stood where the report says"):
        accept(path)
    resigned(path, till=None)
    with pytest.raises(CommandError, match="--till-terminal"):
        accept(path)
    resigned(path, till={**report["till"], "code": "shop-1"})
    with pytest.raises(CommandError, match="no test terminal of the merchant"):
        accept(path)
    assert not ConformanceReport.objects.exists()
    resigned(path, till=report["till"])
    accept(path)
    assert ConformanceReport.objects.get().vendor == Vendor.objects.get(name="acme")


def no_request_id(answer: Answer) -> None:
    answer.headers.pop("request-id", None)


def an_html_page(answer: Answer) -> None:
    if answer.path.startswith("/v1/purchases"):
        answer.status, answer.headers["content-type"], answer.body = 500, "text/html", b"<h1>Server Error</h1>"


def duplicates_called_accepted(answer: Answer) -> None:
    def alter(content: Any) -> None:
        if "duplicates" in content:
            content["accepted"], content["duplicates"] = content["accepted"] + content["duplicates"], 0

    if answer.path == "/v1/purchases":
        answer.change(alter)


def another_head(answer: Answer) -> None:
    if answer.path.startswith("/v1/terminals/"):
        answer.change(lambda content: content.update(head="A" * 43))


def a_resident(answer: Answer) -> None:
    def alter(content: Any) -> None:
        for row in content["purchases"]:
            row["resident"] = "r-1"

    if answer.path.startswith("/v1/purchases?"):
        answer.change(alter)


MISBEHAVIOURS = [
    (no_request_id, "The standard card", "a Request-Id with every answer"),
    (an_html_page, "A rejected record is in the chain", "JSON, never a page"),
    (duplicates_called_accepted, "The same batch again", "'duplicates': 3"),
    (another_head, "the server's head is the terminal's", "the head before the first record"),
    (a_resident, "never a resident", "a record with the fields"),
]


def once_begun(alter: Alter) -> Alter:
    """Alter answers once the kit's own first record is in: so the cases fail, not the start."""
    begun = False

    def altered(answer: Answer) -> None:
        nonlocal begun
        if begun:
            alter(answer)
        begun = begun or b'"accepted":1' in answer.body

    return altered


def test_a_server_that_misbehaves_fails_a_case(world: World, web: str, workers: Processes, tmp_path: Path) -> None:
    for alter, only, expected in MISBEHAVIOURS:
        with altering(web, once_begun(alter)) as url:
            done = play(url, world.test_key, tmp_path, "--only", only, "--wait-s", "30")
        assert done.returncode == 1, done.stdout + done.stderr
        assert expected in next(line for line in done.stdout.splitlines() if line.startswith("    expected: "))
        assert "    protocol: " in done.stdout
        assert "    | -> " in done.stdout


def test_a_till_that_leaves_a_gap_does_not_pass(world: World, web: str, tmp_path: Path) -> None:
    enrol_terminal(find_merchant("Tests"), TILL, at=timezone.now(), actor="test")
    with Client(web, world.test_key, timeout_s=10) as client:
        client.report(TILL, [Unused(seq=2, at=timezone.now()).to_json()])
    words = ["--till-terminal", TILL, "--only", "the vendor's till", "--wait-s", "0.5", "--json"]
    done = play(web, world.test_key, tmp_path, *words)
    assert done.returncode == 1
    outcomes = {case["name"]: case["outcome"] for case in json.loads(done.stdout)["cases"]}
    assert outcomes["The till leaves no gap: a number without a sale is reported as unused"] == "failed"
    assert outcomes["The till seals its batches"] == "failed"
    assert outcomes["Nothing was rejected that the till could have known"] == "passed"


def test_a_vendors_key_plays_for_a_merchant_that_authorised_it(world: World, web: str, tmp_path: Path) -> None:
    merchant = find_merchant("Tests")
    vendor = create_vendor("acme", at=timezone.now(), actor="test")
    authorise_vendor(vendor, merchant, at=timezone.now(), actor="test")
    key = issue_vendor_key(vendor, mode=Mode.TEST, name="test", at=timezone.now(), actor="test").key
    done = play(web, key, tmp_path, "--merchant", str(merchant.pk), "--only", "enrolling", "--json")
    assert done.returncode == 0, done.stderr
    assert {case["outcome"] for case in json.loads(done.stdout)["cases"]} == {"passed"}


def test_it_says_why_it_cannot_begin(world: World, web: str, tmp_path: Path) -> None:
    done = play(web, "kp_test_" + "0" * 43, tmp_path)
    assert done.returncode == 2
    assert "could not begin" in done.stderr
    assert "key_invalid" in done.stderr
    assert not (tmp_path / "report.json").exists()
    done = play("http://127.0.0.1:1", world.test_key, tmp_path)
    assert done.returncode == 2
    assert "could not begin" in done.stderr


def sent_to(terminal: str, key: Ed25519PrivateKey | None, request: dict[str, Any], lines: dict[int, str]) -> bytes:
    """The body of a published request for a terminal of our own, its seal made anew."""
    code = BATCHES["terminal"]
    if "body_text" in request:
        return bytes(request["body_text"].replace(code, terminal).encode())
    body = json.loads(json.dumps(request["body"]).replace(code, terminal))
    last = body["purchases"][-1] if body["purchases"] else {}
    body["purchases"] += [last | {"seq": last["seq"] + n} for n in range(1, request.get("repeat", 1))]
    if "seal" in request and key:
        body["seal"] = sealed(terminal, key, request, body["purchases"], lines)
    return json.dumps(body).encode().ljust(request.get("pad_to_bytes", 0))


def sealed(
    terminal: str, key: Ed25519PrivateKey, request: dict[str, Any], records: list[dict[str, Any]], lines: dict[int, str]
) -> dict[str, str]:
    lines |= {record["seq"]: line_by_hand(record) for record in records}
    last = records[-1]["seq"] - (request["seal"] == "head_before")
    head = digest_by_hand(terminal, [lines[seq] for seq in sorted(lines) if seq <= last])
    signer = Ed25519PrivateKey.generate() if request["seal"] == "another_key" else key
    signature = "" if request["seal"] == "no_signature" else spelt(signer.sign(head))
    return {"head": spelt(head), "signature": signature}


def test_the_published_batches_are_answered_as_they_say(world: World, web: str) -> None:
    playable = [sequence for sequence in BATCHES["sequences"] if "needs" not in sequence]
    assert len(playable) > 30
    for number, sequence in enumerate(playable):
        terminal = f"vector-{number}"
        key = enrol(terminal) if sequence["sealed"] else None
        if key is None:
            enrol_terminal(find_merchant("Tests"), terminal, at=timezone.now(), actor="test")
        known: dict[int, str] = {}
        for request in sequence["requests"]:
            lines = dict(known)
            content = sent_to(terminal, key, request, lines)
            headers = {"Authorization": f"Bearer {world.test_key}", "Content-Type": "application/json"}
            headers |= request.get("headers", {})
            answer = httpx.post(f"{web}/v1/purchases", content=content, headers=headers, timeout=30)
            expected = request["answer"]
            assert answer.status_code == expected["status"], (sequence["name"], answer.text)
            assert_has(expected.get("body", {}), answer.json())
            assert_has(expected.get("error", {}), answer.json().get("error"))
            known = lines if answer.status_code == 200 else known

"""`kanpu-pos`, as a developer types it."""

import json
import os
import signal
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .misbehaving import PosServer, refusal, serving
from .test_till import records_in

TERMINAL = "tokyo-0001-03"
SDK = Path(__file__).parents[3] / "sdk"
AT = ("--at", "2017-04-03T09:30:00+09:00")

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def server() -> Iterator[PosServer]:
    with serving() as running:
        yield running


def environment(folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(SDK),
        "KANPU_POS_TILL": str(folder / "till"),
        "KANPU_POS_KEY": "kp_test_0123456789abcdef",
    }


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a command; it is expected to end with `status`."""

    def command(*words: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "kanpu_pos.cli", *words],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env=environment(tmp_path),
        )
        assert done.returncode == status, done.stderr
        assert "Traceback" not in done.stderr
        return done

    return command


@pytest.fixture
def ready(run: Run, server: PosServer) -> Run:
    run("init", "--server", server.url, "--terminal", TERMINAL)
    return run


def said(done: "subprocess.CompletedProcess[str]") -> Any:
    return json.loads(done.stdout)


def test_an_afternoon(ready: Run, server: PosServer, tmp_path: Path) -> None:
    assert "standard   counted    is counted" in ready("cards").stdout
    receipt = ready("sell", "--tier", "reduced=1100", "--card", "standard", "--lang", "en", *AT).stdout
    assert f"Record {TERMINAL} / 1" in receipt
    assert "Expected refund, about ¥20" in receipt
    assert "QRコード" in ready("sell", "--tier", "reduced=550", "--tier", "food2=20", "--claim").stdout
    assert ready("return", "1", "--tier", "reduced=100").stdout == f"recorded as {TERMINAL} 3\n"
    assert said(ready("return", "osaka-9:7", "--tier", "reduced=5", "--json"))["seq"] == 4
    ready("correct", "2", "--tier", "reduced=540", "--sold-at", "2017-04-02T09:30:00+09:00")
    ready("void", "3")
    assert "closing 7 of 2017: reduced 1,100" in ready("close", "--year", "2017").stdout
    assert said(ready("status", "--json"))["waiting"] == 7
    assert ready("send").stdout == "7 records sent, 0 of them rejected\n"
    assert sorted(server.records) == [(TERMINAL, seq) for seq in range(1, 8)]
    kinds = [record.kind for record in records_in(tmp_path / "till" / "till.db")]
    assert kinds == ["sale", "sale", "return", "return", "correction", "void", "closing"]


def test_a_sale_as_json(ready: Run) -> None:
    sold = said(ready("sell", "--tier", "reduced=1100", "--claim", "--json", *AT))
    assert (sold["seq"], sold["lines"], sold["expected_refund"]) == (1, [{"tier": "reduced", "amount": 1100}], 20)
    assert len(sold["claim_code"]) == 26


def test_a_card_in_a_file_never_repeats_a_counter(ready: Run, tmp_path: Path) -> None:
    card = tmp_path / "card.json"
    card.write_text(json.dumps({"card_id": "0a" * 16, "card_key": "0b" * 32, "counter": 7}))
    for _ in range(2):
        assert said(ready("sell", "--tier", "reduced=1", "--card", str(card), "--json"))["with_card"] is True
    assert json.loads(card.read_text())["counter"] == 9


def test_the_server_is_not_needed_to_sell(ready: Run, server: PosServer) -> None:
    ready("cards")
    server.shutdown()
    assert said(ready("sell", "--tier", "reduced=1", "--card", "standard", "--json"))["with_card"] is True


def test_sending_says_what_was_rejected_by_its_exit_status(ready: Run) -> None:
    ready("sell", "--tier", "unknown=5")
    assert said(ready("send", "--json", status=3)) == {"sent": 1, "rejected": 1}
    assert "1: tier_unknown: no such tier" in ready("status").stdout


REFUSED = {
    "sell --tier reduced": "not TIER=AMOUNT",
    "sell --tier reduced=10.5": "not TIER=AMOUNT",
    "sell --tier reduced=0": "lines[0].amount",
    "sell --tier reduced=1 --card gold": "neither a file nor a test card (standard)",
    "return 9 --tier reduced=1": "no record 9",
    "void 9": "no record 9",
    "return osaka:x --tier reduced=1": "not SEQ or TERMINAL:SEQ",
}


def test_what_is_refused_says_why_and_records_nothing(ready: Run) -> None:
    for words, message in REFUSED.items():
        done = ready(*words.split(), status=1)
        assert message in done.stderr
        assert done.stdout == ""
    assert said(ready("status", "--json"))["next_seq"] == 1


def test_an_error_as_json_has_a_code(ready: Run, server: PosServer) -> None:
    assert json.loads(ready("void", "9", "--json", status=1).stderr)["error"]["code"] == "record_unknown"
    ready("sell", "--tier", "reduced=1")
    server.faults.append(refusal(401, "key_invalid"))
    assert json.loads(ready("send", "--json", status=1).stderr)["error"]["code"] == "key_invalid"


def test_without_a_till_it_says_how_to_set_one_up(run: Run) -> None:
    assert "kanpu-pos init" in run("sell", "--tier", "reduced=1", status=1).stderr
    assert (
        "it starts with kp_live_ or kp_test_"
        in run("init", "--server", "http://127.0.0.1:1", "--terminal", TERMINAL, "--key", "secret", status=1).stderr
    )
    assert "usage:" in run(status=2).stderr


def test_a_folder_stays_with_its_terminal(ready: Run, server: PosServer) -> None:
    ready("sell", "--tier", "reduced=1")
    done = ready("init", "--server", server.url, "--terminal", "osaka-9", status=1)
    assert "this file is of the terminal tokyo-0001-03, not osaka-9" in done.stderr
    assert said(ready("status", "--json"))["next_seq"] == 2


def test_what_it_keeps_is_for_its_owner_alone(ready: Run, tmp_path: Path) -> None:
    ready("cards")
    folder = tmp_path / "till"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name: stat.S_IMODE(path.stat().st_mode) & 0o077 for path in folder.glob("*.json")} == {
        "settings.json": 0,
        "test-cards.json": 0,
    }


def test_the_gateway_sells_and_sends_until_it_is_told_to_stop(ready: Run, server: PosServer, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "kanpu_pos.cli", "serve", "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment(tmp_path)) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        secret = (tmp_path / "till" / "gateway-secret").read_text()
        request = urllib.request.Request(
            f"{url}/sell",
            data=b'{"lines":[{"tier":"reduced","amount":1100}],"test_card":"standard"}',
            headers={"Content-Type": "application/json", "Kanpu-Till-Secret": secret},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert json.load(answer)["with_card"] is True
        assert "open in another process" in ready("sell", "--tier", "reduced=1", status=1).stderr
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert list(server.records) == [(TERMINAL, 1)]

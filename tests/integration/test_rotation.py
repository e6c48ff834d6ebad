"""Every kind of key is rotated while a shop sells and workers count: nothing is lost, and the totals are as without."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from django.conf import settings
from django.utils import timezone
from kanpu_pos import Client, VirtualReader, read_personalisation

from apps.accruals.models import Entry
from apps.purchases.models import Outcome
from apps.purchases.queries import uncounted
from apps.residents.key_documents import Kind
from apps.residents.models import Card, VaultRecord
from apps.residents.operations import issue_cards, register_residents
from apps.residents.operations.vault import new_vault_record
from apps.residents.queries.key_status import rows_under
from apps.residents.queries.vault import checked_vault_keys, resident_by_code
from apps.residents.vault.contents import Identity
from apps.simulator.processes import Processes, sweep_command
from tests.integration.test_counting import report, totals_of, wait_until
from tests.rotation import rotate, statuses
from tests.world import TERMINAL, World

pytestmark = pytest.mark.django_db(transaction=True)
RESIDENTS = 3_000  # so that moving them takes long enough to be killed in
KILL_AFTER_ROWS = 500


@pytest.fixture
def town(world: World, tmp_path: Path) -> World:
    """Many residents with cards, known to the vault."""
    now = timezone.now()
    found = register_residents([date(2017, 1, 1)] * RESIDENTS, at=now, actor="test")
    issue_cards(tmp_path / "town.csv", valid_from=None, at=now, actor="test")
    world.cards |= {UUID(row.resident_ref): row.card() for row in read_personalisation(tmp_path / "town.csv")}
    keys = checked_vault_keys()
    VaultRecord.objects.bulk_create(
        new_vault_record(keys, resident.pk, Identity(resident_code=f"{number:011}"))
        for number, resident in enumerate(found)
    )
    world.residents = [resident.pk for resident in found]
    return world


class Shop(threading.Thread):
    """Sells without a pause. What it sells it keeps a while, as a till that is offline, and then reports it.

    Now and then its reader fetches the keys anew.
    """

    def __init__(self, world: World, web: str) -> None:
        super().__init__(daemon=True)
        self.world, self.web = world, web
        self.rng = random.Random(5)
        self.sold: Counter[UUID] = Counter()
        self.records = 0
        self.closing = threading.Event()
        self.failed: list[Exception] = []

    def run(self) -> None:
        try:
            self._sell()
        except Exception as error:
            self.failed.append(error)

    def _sell(self) -> None:
        offline: list[bytes] = []
        with Client(self.web, self.world.api_key, timeout_s=30) as client:
            while not self.closing.is_set():
                self.world.readers["live"] = VirtualReader(httpx.get(f"{self.web}/v1/keys").json())
                offline += [self._sale() for _ in range(20)]
                if len(offline) >= 100:
                    self._report(client, offline[:80])
                    offline = offline[80:]
                time.sleep(0.02)
            self._report(client, offline)

    def _sale(self) -> bytes:
        resident, amount = self.rng.choice(self.world.residents[:50]), self.rng.randrange(1, 1_000)
        self.sold[resident] += amount
        self.records += 1
        return self.world.sale(resident, reduced=amount)

    def _report(self, client: Client, records: list[bytes]) -> None:
        answer = client.report(TERMINAL, records)
        assert answer.accepted == len(records)


def start(kind: Kind) -> subprocess.Popen[str]:
    """The command itself, as an operator runs it beside everything else."""
    return subprocess.Popen(
        [sys.executable, "manage.py", "rotate_keys", kind, "--json"], cwd=settings.BASE_DIR, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ.copy(),
    )  # fmt: skip


def finished(process: subprocess.Popen[str]) -> Any:
    out, error = process.communicate(timeout=60)
    assert process.returncode == 0, error
    return json.loads(out)


def kill_midway(kind: Kind) -> bool:
    """Start a rotation and kill it among its rows. Returns whether it was midway."""
    process = start(kind)
    while process.poll() is None and rows_under(kind).get(2, 0) < KILL_AFTER_ROWS:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return rows_under(kind).get(2, 0) > 0 and rows_under(kind).get(1, 0) > 0


@pytest.fixture
def selling(town: World, web: str, workers: Processes) -> Iterator[Shop]:
    shop = Shop(town, web)
    shop.start()
    yield shop
    shop.closing.set()
    shop.join()


@pytest.mark.long
def test_all_keys_are_rotated_while_a_shop_sells_and_nothing_is_lost(
    selling: Shop, town: World, workers: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, last = town.residents[0], town.residents[-1]
    wait_until(lambda: Entry.objects.count() > 100)
    midway = [kill_midway(kind) for kind in (Kind.CARD_INDEX, Kind.VAULT, Kind.VAULT_INDEX)]
    assert any(midway), "none was killed among its rows"
    for kind, was_midway in zip((Kind.CARD_INDEX, Kind.VAULT, Kind.VAULT_INDEX), midway, strict=True):
        assert resident_by_code("00000000000") == one
        assert resident_by_code(f"{RESIDENTS - 1:011}") == last
        result = finished(start(kind))
        assert not (was_midway and result["added"])
        rotate(kind, "--retire", "1")
    for kind in (Kind.SEALING, Kind.ISSUER):
        assert rotate(kind)["switched_on"]
    fresh = register_residents([date(2017, 1, 1)], at=timezone.now(), actor="test")[0]
    issue_cards(tmp_path / "fresh.csv", valid_from=None, at=timezone.now(), actor="test")
    assert Card.objects.get(resident=fresh.pk).issuer_version == 2
    row = next(row for row in read_personalisation(tmp_path / "fresh.csv"))
    town.cards[fresh.pk] = row.card()
    town.residents.insert(0, fresh.pk)  # the shop sells to them, too
    sold_then = selling.records
    wait_until(lambda: selling.records > sold_then + 400)
    selling.closing.set()
    selling.join()
    assert selling.failed == []
    wait_until(lambda: uncounted() == (0, 0))
    workers.check()
    assert Outcome.objects.count() == 0
    assert Entry.objects.count() == selling.records
    assert {ref: sum(totals_of(ref).values()) for ref in selling.sold} == dict(selling.sold)
    assert selling.sold[fresh.pk] > 0
    assert resident_by_code("00000000000") == one
    in_use = {name for name, key in statuses().items() if key["in_use"]}
    assert {"sealing 1", "sealing 3", "issuer live 1", "issuer live 2", "card index 2", "vault 2"} <= in_use
    assert not in_use & {"card index 1", "vault 1", "vault index 1"}


@pytest.mark.long
def test_a_host_with_an_old_key_file_waits_and_goes_on_by_itself_when_it_has_the_new_one(
    world: World, web: str, processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, handed_out = Path(str(settings.KANPU_KEYRING)), tmp_path / "host2.json"
    handed_out.write_text(kept.read_text())
    monkeypatch.setenv("KANPU_KEYRING", str(handed_out))
    processes.start("sweep", sweep_command(), with_keys=True)
    report(web, world.api_key, world.sale(reduced=100))
    wait_until(lambda: Entry.objects.count() == 1)
    rotate("card-index")
    report(web, world.api_key, world.sale(reduced=200))
    log = tmp_path / "logs" / "sweep.log"
    wait_until(lambda: "keyring_outdated" in log.read_text())
    assert uncounted() == (1, 1)
    shutil.copy(kept, tmp_path / "new.json")
    (tmp_path / "new.json").replace(handed_out)
    wait_until(lambda: Entry.objects.count() == 2)
    assert not Outcome.objects.exists()
    processes.check()

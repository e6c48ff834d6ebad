"""The doctor says in words what is wrong and what to do, and of a well installation nothing."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from apps.audit.operations.roles import APPEND_ONLY
from apps.audit.operations.sequencing import sequence
from apps.audit.outside import make_key
from apps.purchases.models import Batch, Poison
from apps.purchases.poison import note_failure
from apps.simulator.processes import Processes, worker_command
from apps.upkeep.models import Heartbeat
from tests.integration.test_counting import wait_until
from tests.till import RawTill, send
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)


def problems() -> dict[str, str]:
    """What the doctor says, by the part that is wrong."""
    out = StringIO()
    try:
        call_command("doctor", "--json", stdout=out)
    except SystemExit:
        return {one["part"]: one["problem"] + one["remedy"] for one in json.loads(out.getvalue())["findings"]}
    assert json.loads(out.getvalue()) == {"well": True, "findings": []}
    return {}


@pytest.fixture
def nobody_works(world: World, settings: Any, tmp_path: Path) -> World:
    """An installation of which only the workers are not running."""
    settings.KANPU_AUDIT_KEY = tmp_path / "audit.pem"
    make_key(tmp_path / "audit.pem")
    Heartbeat.objects.create(name="clock", at=timezone.now())
    return world


def test_a_well_installation_has_nothing(nobody_works: World, processes: Processes, settings: Any) -> None:
    assert {"workers"} == set(problems())
    processes.start("worker", worker_command(), with_keys=True)
    Heartbeat.objects.all().delete()
    environment = os.environ | {"KANPU_AUDIT_KEY": str(settings.KANPU_AUDIT_KEY)}
    ring = [*worker_command()[:4], "call", "upkeep.beat"]  # as the clock does each minute
    subprocess.run(ring, cwd=settings.BASE_DIR, env=environment, check=True, capture_output=True)
    wait_until(Heartbeat.objects.exists, timeout_s=90)
    doctor = [sys.executable, "manage.py", "doctor"]
    done = subprocess.run(doctor, cwd=settings.BASE_DIR, env=environment, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "All is well.\n")


def sick(told: dict[str, str]) -> dict[str, str]:
    return {part: words for part, words in told.items() if part != "workers"}


def test_files_with_keys_that_others_can_read_or_nobody(nobody_works: World, settings: Any, tmp_path: Path) -> None:
    assert sick(problems()) == {}
    Path(settings.KANPU_KEYRING).chmod(0o640)
    assert "chmod 600" in sick(problems())["keys"]
    Path(settings.KANPU_KEYRING).unlink()
    assert "cannot be read" in sick(problems())["keys"]


def test_another_key_file_than_the_databases(nobody_works: World, settings: Any, tmp_path: Path) -> None:
    keys = json.loads(Path(settings.KANPU_KEYRING).read_text())
    keys["card_index"][0]["key"] = "00" * 32
    settings.KANPU_KEYRING = tmp_path / "other.json"
    (tmp_path / "other.json").write_text(json.dumps(keys))
    (tmp_path / "other.json").chmod(0o600)
    assert "'card index 1'" in sick(problems())["keys"]


def test_purchases_that_wait_too_long_and_work_that_was_set_aside(nobody_works: World) -> None:
    till = RawTill(nobody_works)
    send(till, till.sale(reduced=1080))
    assert sick(problems()) == {}
    Batch.objects.update(received_at=timezone.now() - timedelta(minutes=5))
    assert "since 0:05:0" in sick(problems())["counting"]
    note_failure(Poison.Kind.BATCH, 1, 1, reason="IntegrityError", at=timezone.now())
    assert "manage.py poison --replay" in sick(problems())["poison"]


def test_connections_that_are_nearly_all_taken(nobody_works: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "connections" not in problems()
    monkeypatch.setattr("apps.upkeep.queries.diagnosis.CONNECTIONS_MOST", 0.0)
    assert "of PostgreSQL's 97 connections are taken" in problems()["connections"]


def test_redis_away(nobody_works: World, settings: Any) -> None:
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    assert "Redis does not answer" in problems()["redis"]


def test_a_clock_that_stopped_and_a_log_whose_checkpoints_are_behind(nobody_works: World) -> None:
    Heartbeat.objects.update(at=timezone.now() - timedelta(hours=1))
    sequence()
    told = sick(problems())
    assert "kanpu-beat" in told["beat"]
    assert "kanpu-audit-log" in told["audit log"]


def test_a_missing_migration_and_a_full_disk(nobody_works: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with without_migration("purchases", "0002_all_kinds"):
        assert "purchases.0002_all_kinds" in problems()["migrations"]
    monkeypatch.setattr("apps.upkeep.queries.diagnosis.DISK_LEAST", 1.1)
    assert "Make room" in sick(problems())["disk"]


@contextmanager
def without_migration(app: str, name: str) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = %s AND name = %s", [app, name])
        yield
        cursor.execute("INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, now())", [app, name])


def test_in_production_a_role_that_may_change_the_trail(nobody_works: World, settings: Any) -> None:
    settings.PRODUCTION = True
    assert all(table in sick(problems())["rights"] for table in APPEND_ONLY)

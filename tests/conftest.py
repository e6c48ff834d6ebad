"""Fixtures: a world to sell in, a real web server, real workers, a real browser."""

import os
import subprocess
import time
from collections.abc import Iterable, Iterator
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User
from django.contrib.contenttypes.management import create_contenttypes
from django.core.management import call_command
from django.db import connection
from django.db.backends.postgresql.operations import DatabaseOperations
from django.db.models.signals import post_migrate
from django.test import Client
from django.utils import timezone

from apps.accruals.operations.years import start_year
from apps.audit.strength import FACTOR, KEY, OWNER, RECORDS
from apps.merchants.models import Merchant
from apps.merchants.operations import create_merchant, enrol_terminal
from apps.refunds.operations.distributing import is_coordinator
from apps.residents.models import VaultRecord
from apps.schemes.models import TaxYear
from apps.schemes.operations import SHIPPED, load_scheme
from apps.simulator.processes import Processes, free_port, sweep_command, web_command, worker_command
from config.celery import app as celery_app
from tests import pages
from tests.kept_world import some_world
from tests.till import SECOND, RawTill
from tests.vault import enter
from tests.world import BY_PURCHASE, World, auditor

celery_app.set_default()
CHROMIUM = os.environ.get("KANPU_CHROMIUM", "")
LONG = os.environ.get("KANPU_LONG", "")
KEPT = {"django_content_type", "auth_permission", "django_migrations"}
# Sync Playwright runs an event loop in the test's thread, in which Django would refuse its ORM.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Debian's Chromium instead of a downloaded one."""
    return {
        "executable_path": CHROMIUM or "/usr/bin/chromium",
        "args": [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
        ],
    }


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without a browser its journeys are left out, and said so loudly by `make test` (.ci/browser).

    Long proofs are `make long`.
    """
    unwanted = [name for name, wanted in (("browser", CHROMIUM), ("long", LONG)) if not wanted]
    left_out = [item for item in items if any(item.get_closest_marker(name) for name in unwanted)]
    kept = [item for item in items if item not in left_out]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """The tests' database; on a coordinator of a cluster its tables are spread, as an operator's are."""
    with django_db_blocker.unblock():
        call_command("distribute_tables", "--if-available", stdout=StringIO())


def delete_all(_self: object, _style: object, tables: Iterable[str], **_options: bool) -> list[str]:
    """What few rows a test left are deleted: to truncate makes eighty tables and their indexes anew, on the disk.

    What Django keeps of its models stays, so nothing has to be written again.
    """
    emptied = sorted(set(tables) - KEPT)
    return [
        f"LOCK TABLE {', '.join(emptied)} IN ACCESS EXCLUSIVE MODE",  # who is still at it comes to an end first
        "SET LOCAL session_replication_role = replica",  # no triggers: from some tables nobody may delete
        "; ".join(f"DELETE FROM {table}" for table in emptied),
    ]


@pytest.fixture(scope="session", autouse=True)
def _emptied_quickly(django_db_setup: None) -> Iterator[None]:
    """After each test the database is emptied, in a hundredth of a second, on whatever connection."""
    post_migrate.disconnect(create_contenttypes)
    post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "sql_flush", delete_all)
        yield


@pytest.fixture(scope="session", autouse=True)
def _passwords_hashed_quickly() -> Iterator[None]:
    """A password would take a processor a quarter of a second, hundreds of times. Web servers' processes do as ever."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PBKDF2PasswordHasher, "iterations", 1)
        yield


@pytest.fixture(scope="session", autouse=True)
def _signed_in_with_two_factors() -> Iterator[None]:
    """Who is signed in by a test, not by the page, showed a passkey just now, as officers must."""
    by_password_alone = Client.force_login

    def force_login(client: Client, user: User, backend: str | None = None) -> None:
        by_password_alone(client, user, backend)
        session = client.session
        session[RECORDS] = [{"method": FACTOR, "type": KEY, "at": time.time()}]
        session[OWNER] = str(user.pk)
        session.save()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Client, "force_login", force_login)
        yield


@pytest.fixture
def one_machine(transactional_db: None) -> None:
    """A server that is no coordinator of a cluster: tables are distributed after all migrations, not before."""
    if is_coordinator():
        pytest.skip("not on a cluster")


@pytest.fixture
def archive(tmp_path: Path, settings: Any) -> Path:
    """An empty archive folder."""
    settings.KANPU_ARCHIVE = tmp_path / "archive"
    return tmp_path / "archive"


@pytest.fixture(scope="session")
def vault_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the vault's keys of the present world are, for the web server as well."""
    return tmp_path_factory.mktemp("keys") / "vault.json"


@pytest.fixture
def world(transactional_db: None, tmp_path: Path, vault_keys: Path, settings: Any, archive: Path) -> World:
    """Scheme, years 2017 and this one, two residents with cards, merchants with terminals and keys."""
    settings.KANPU_KEYRING = tmp_path / "keyring.json"
    settings.KANPU_VAULT_KEYS = vault_keys
    vault_keys.unlink(missing_ok=True)
    return some_world(tmp_path)


@pytest.fixture
def known(world: World) -> World:
    """Residents whom the vault knows."""
    enter(world.residents[0], number="983205673214", code="12345678901")
    enter(world.residents[1], number="123456789018", kana="スズキ ハナコ")
    VaultRecord.objects.create(
        resident_id=world.test_resident, key_version=1, index_version=1, erased_at=timezone.now()
    )
    return world


@pytest.fixture
def tills(world: World) -> tuple[RawTill, RawTill]:
    """Two tills of one merchant."""
    enrol_terminal(Merchant.objects.get(name="Shop"), SECOND, at=timezone.now(), actor="test")
    return RawTill(world), RawTill(world, SECOND)


@pytest.fixture
def by_purchase(world: World) -> None:
    """The years under a scheme that takes purchases one by one; nothing was counted before."""
    version, _ = load_scheme(BY_PURCHASE, at=timezone.now(), actor="test")
    TaxYear.objects.update(scheme_version=version)


@pytest.fixture
def till(world: World) -> RawTill:
    """A till, and two auditors, ann and ben."""
    auditor("ann")
    auditor("ben")
    return RawTill(world)


@pytest.fixture
def terminal(db: None, settings: Any, tmp_path: Path) -> int:
    """A till in a year that has started; the archive is empty."""
    settings.KANPU_ARCHIVE = tmp_path
    now = timezone.now()
    version, _ = load_scheme(SHIPPED / "jp-2015.yaml", at=now, actor=pages.ACTOR)
    start_year(pages.YEAR, version, deadline=date(2099, 12, 31), at=now, actor=pages.ACTOR)
    merchant, _ = create_merchant("Matsuya", at=now, actor=pages.ACTOR)
    return enrol_terminal(merchant, "till-1", store_name="Shibuya store", at=now, actor=pages.ACTOR).pk


@pytest.fixture(scope="session")
def database_url(django_db_setup: None) -> str:
    """The address of the tests' database."""
    address, _, _ = os.environ["DATABASE_URL"].rpartition("/")
    return f"{address}/{connection.settings_dict['NAME']}"


@pytest.fixture(scope="session")
def web_logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the web server's log is."""
    return tmp_path_factory.mktemp("web")


@pytest.fixture(scope="session")
def web_address(database_url: str, vault_keys: Path, web_logs: Path) -> Iterator[str]:
    """A real web server on the tests' database, which has no private keys."""
    port = free_port()
    running = Processes(Path(settings.BASE_DIR), web_logs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", database_url)
        patch.setenv("KANPU_VAULT_KEYS", str(vault_keys))
        patch.setenv("KANPU_PAYOUTS", str(web_logs / "payouts"))
        patch.setenv("KANPU_METRICS", str(web_logs / "metrics"))
        running.start("web", web_command(port), with_keys=False)
    running.wait_for(f"http://127.0.0.1:{port}/v1/keys")
    yield f"http://127.0.0.1:{port}"
    running.stop()


@pytest.fixture
def web(world: World, web_address: str) -> str:
    """The address of the web server, with the world in its database."""
    return web_address


@pytest.fixture
def processes(
    world: World, vault_keys: Path, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Processes]:
    """Processes of a test's own, on the tests' database and with its keys."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("KANPU_KEYRING", str(tmp_path / "keyring.json"))
    monkeypatch.setenv("KANPU_VAULT_KEYS", str(vault_keys))
    monkeypatch.setenv("KANPU_ARCHIVE", str(tmp_path / "archive"))
    running = Processes(Path(settings.BASE_DIR), tmp_path / "logs")
    yield running
    running.stop()


@pytest.fixture
def workers(processes: Processes) -> Processes:
    """Real Celery workers and a sweep."""
    processes.start("worker", worker_command(), with_keys=True)
    processes.start("sweep", sweep_command(), with_keys=True)
    return processes


def pytest_report_header() -> str:
    """Say which servers the tests talk to."""
    version = (
        subprocess.run([CHROMIUM, "--version"], capture_output=True, text=True, check=False).stdout.strip()
        if CHROMIUM
        else "no browser: its journeys are left out"
    )
    return f"postgresql: {connection.settings_dict['HOST']}:{connection.settings_dict['PORT']}, {version}"

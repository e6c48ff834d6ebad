"""An installation as in production on this machine: it is ready over TLS, well, and no role may more than it must."""

import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from django.conf import settings
from psycopg.errors import InsufficientPrivilege

from apps.simulator.processes import Processes, free_port
from apps.simulator.production import (
    APP,
    AUDITOR,
    DATABASE,
    WEB,
    WORKER,
    Installation,
    prepare,
    processes,
)
from tests.integration.test_counting import wait_until

pytestmark = [pytest.mark.long, pytest.mark.django_db(transaction=True)]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None) -> Iterator[Installation]:
    """Everything prepared; the database is dropped at the end."""
    server = os.environ["DATABASE_URL"].rpartition("/")[0]
    folder = tmp_path_factory.mktemp("production")
    made = Installation(folder, Path(settings.BASE_DIR), server, os.environ["REDIS_URL"])
    prepare(made)
    prepare(made)  # again changes nothing
    yield made
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")


def manage(installed: Installation, keys: str, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *command], cwd=installed.root, env=installed.environment(keys),
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_all_processes_are_ready_over_tls_and_end_gently(installed: Installation, tmp_path: Path) -> None:
    ports = {"api_port": free_port(), "portal_port": free_port()}
    running = Processes(installed.root, tmp_path)
    trusted = ssl.create_default_context(cafile=str(installed.file("tls.pem")))
    try:
        for name, (command, keys) in processes(installed, **ports).items():
            environment = installed.environment(keys)
            with (tmp_path / f"{name}.log").open("ab") as log:
                running.running[name] = subprocess.Popen(
                    command, cwd=installed.root, env=environment, stdout=log, stderr=log, start_new_session=True
                )

        def answers(port: int, path: str, **headers: str) -> httpx.Response | None:
            try:
                return httpx.get(f"https://localhost:{port}{path}", verify=trusted, headers=headers)
            except httpx.TransportError:
                running.check()
                return None

        def is_ready(port: int) -> bool:
            answer = answers(port, "/health/ready")
            return answer is not None and answer.status_code == 200

        wait_until(lambda: is_ready(ports["api_port"]) and is_ready(ports["portal_port"]), timeout_s=120)
        answer = answers(ports["api_port"], "/login")
        assert answer is not None
        assert "max-age=31536000" in answer.headers["Strict-Transport-Security"]
        token = installed.file("metrics-token").read_text()
        metrics = answers(ports["api_port"], "/metrics", Authorization=f"Bearer {token}")
        assert metrics is not None
        assert "kanpu_database_up 1.0" in metrics.text
        wait_until(lambda: manage(installed, WORKER, "doctor").returncode == 0, timeout_s=120)
        assert manage(installed, WEB, "doctor").stdout == "All is well.\n"
        for process in running.running.values():
            process.terminate()
        assert {name: process.wait(60) for name, process in running.running.items()} == dict.fromkeys(ports_of(), 0)
        running.running.clear()
    finally:
        running.stop()


def ports_of() -> tuple[str, ...]:
    return "api", "portal", "worker", "sweep", "audit-log", "beat", "mail"


def test_django_finds_nothing_to_say_of_the_settings(installed: Installation) -> None:
    done = manage(installed, WEB, "check", "--deploy", "--fail-level", "WARNING")
    assert (done.returncode, "no issues" in done.stdout) == (0, True), done.stderr


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        (APP, "UPDATE audit_event SET actor = 'x'"),
        (APP, "DELETE FROM audit_accessrecord"),
        (APP, "TRUNCATE audit_logentry"),
        (APP, "CREATE TABLE mine (a int)"),
        (APP, "DROP TABLE residents_card"),
        (APP, "ALTER TABLE audit_event DISABLE TRIGGER ALL"),
        (AUDITOR, "SELECT 1 FROM residents_vaultrecord"),
        (AUDITOR, "SELECT 1 FROM purchases_purchase"),
        (AUDITOR, "SELECT 1 FROM refunds_refund"),
        (AUDITOR, "INSERT INTO audit_event DEFAULT VALUES"),
    ],
)
def test_a_role_may_not(installed: Installation, role: str, statement: str) -> None:
    with psycopg.connect(installed.address(role)) as connection, pytest.raises(InsufficientPrivilege):
        connection.execute(statement)


@pytest.mark.parametrize(
    ("role", "statement"),
    [(APP, "SELECT 1 FROM purchases_purchase"), (AUDITOR, "SELECT 1 FROM audit_event"), (AUDITOR, "TABLE refunds_run")],
)
def test_a_role_may(installed: Installation, role: str, statement: str) -> None:
    with psycopg.connect(installed.address(role)) as connection:
        connection.execute(statement)

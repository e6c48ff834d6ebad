"""A database that says nothing any more costs seconds, not hours, and so does a server that is gone in the middle."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

ROOT = Path(settings.BASE_DIR)
CONNECT = "import django; django.setup(); from django.db import connection; connection.ensure_connection()"


def test_a_database_that_accepts_and_says_nothing_is_given_up_within_seconds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"postgresql://app:secret@127.0.0.1:{silent.getsockname()[1]}/kanpu"
        environment = os.environ | {"DATABASE_URL": address, "DJANGO_SETTINGS_MODULE": "config.settings"}
        started_s = time.monotonic()
        connect = [sys.executable, "-c", CONNECT]
        done = subprocess.run(connect, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert "OperationalError" in done.stderr
    assert time.monotonic() - started_s < 60


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "value"), [
    ("tcp_keepalives_idle", "10"), ("tcp_keepalives_interval", "5"), ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "30000"), ("synchronous_commit", "on"),
])  # fmt: skip
def test_the_server_looks_whether_we_are_there(name: str, value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        assert cursor.fetchone() == (value,)


@pytest.mark.django_db
@pytest.mark.skipif(sys.platform != "linux", reason="the names of these are Linux's")
def test_we_look_whether_the_server_is_there() -> None:
    connection.ensure_connection()
    with socket.socket(fileno=os.dup(connection.connection.fileno())) as ours:
        assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 10
        assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000

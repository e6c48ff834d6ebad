"""The bench's own database on this checkout's servers: made anew, marked, and nothing else is touched."""

import os
import secrets
import shutil
from pathlib import Path
from typing import Final

import psycopg

from config import services

MARKER: Final = "made by the kanpu bench, which drops it"
VAR: Final = Path(__file__).resolve().parents[1] / "var"


def prepare(name: str) -> Path:
    """Start the servers, make the database kanpu_`name`, and set Django up on it. Returns an empty folder for files.

    Before anything else of Django is imported.
    """
    services.ensure()
    folder, server = VAR / name, os.environ["DATABASE_URL"]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _recreate(server, f"kanpu_{name}")
    os.environ["DATABASE_URL"] = server.rpartition("/")[0] + f"/kanpu_{name}"
    os.environ["KANPU_ARCHIVE"] = str(folder / "archive")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    _set_up()
    return folder


def _set_up() -> None:
    import django  # noqa: PLC0415 - its settings are read when the database's address is set

    django.setup()
    from django.core.management import call_command  # noqa: PLC0415

    from config.celery import app  # noqa: PLC0415

    app.set_default()
    call_command("migrate", verbosity=0)


def _recreate(server: str, name: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        found = connection.execute(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", (name,)
        ).fetchone()
        if found and found[0] != MARKER:
            raise SystemExit(f"The server has a database {name} that the bench did not make. Rename or drop it.")
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        new = f"{name}_{secrets.token_hex(4)}"
        connection.execute(f"CREATE DATABASE {new}")
        connection.execute(f"COMMENT ON DATABASE {new} IS '{MARKER}'")
        connection.execute(f"ALTER DATABASE {new} RENAME TO {name}")

"""The bench's own database on this checkout's servers: made anew, marked, and nothing else is touched."""

import os
import secrets
from pathlib import Path
from typing import Final

import psycopg

from config import services

NAME: Final = "kanpu_bench"
MARKER: Final = "made by the kanpu bench, which drops it"
FOLDER: Final = Path(__file__).resolve().parents[1] / "var" / "bench"


def prepare() -> None:
    """Start the servers, make the database, and point Django at it: before anything of Django is imported."""
    services.ensure()
    server = os.environ["DATABASE_URL"]
    _recreate(server)
    os.environ["DATABASE_URL"] = server.rpartition("/")[0] + f"/{NAME}"
    os.environ["KANPU_ARCHIVE"] = str(FOLDER / "archive")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


def _recreate(server: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        found = connection.execute(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", (NAME,)
        ).fetchone()
        if found and found[0] != MARKER:
            raise SystemExit(f"The server has a database {NAME} that the bench did not make. Rename or drop it.")
        connection.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
        new = f"{NAME}_{secrets.token_hex(4)}"
        connection.execute(f"CREATE DATABASE {new}")
        connection.execute(f"COMMENT ON DATABASE {new} IS '{MARKER}'")
        connection.execute(f"ALTER DATABASE {new} RENAME TO {NAME}")

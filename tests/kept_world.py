"""The world as it was built a moment ago, put back: copying its rows and files takes a tenth of the time."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import connection, transaction

from tests.dump import tables
from tests.world import Made, World, make_world, open_world

FRESH_S: Final = 60  # an older one is built anew: tests look at what happened just now


@dataclass(frozen=True, slots=True)
class _Kept:
    """What building left: rows by table, in PostgreSQL's binary form, and files by what they are."""

    built_s: float  # monotonic
    made: Made
    tables: list[str]
    rows: dict[str, bytes]
    files: dict[str, bytes]


_kept: _Kept | None = None


def some_world(folder: Path) -> World:
    """A world in an empty database, its keys and cards in `folder`: the last one again, or a new one."""
    global _kept  # noqa: PLW0603 - one a process
    if _kept and _kept.built_s > time.monotonic() - FRESH_S and set(_kept.tables) <= set(tables()):
        _put_back(_kept, folder)
    else:  # there is none yet, it is old, or a test dropped a year's tables
        made = make_world(folder)
        files = {name: path.read_bytes() for name, path in _files(folder).items()}
        _kept = _Kept(time.monotonic(), made, tables(), _rows(), files)
    return open_world(folder, _kept.made)


def _files(folder: Path) -> dict[str, Path]:
    keyring, vault = Path(str(settings.KANPU_KEYRING)), Path(str(settings.KANPU_VAULT_KEYS))
    return {"keyring": keyring, "vault": vault, "cards": folder / "cards.csv"}


def _rows() -> dict[str, bytes]:
    found = {}
    with connection.cursor() as cursor:
        for table in tables():
            cursor.execute(f"SELECT EXISTS (SELECT FROM {table})")
            if cursor.fetchone()[0] and table not in ("django_migrations", "django_content_type", "auth_permission"):
                with cursor.cursor.copy(f"COPY {table} TO STDOUT (FORMAT BINARY)") as copy:
                    found[table] = b"".join(copy)
    return found


def _put_back(kept: _Kept, folder: Path) -> None:
    for name, path in _files(folder).items():
        path.write_bytes(kept.files[name])
        path.chmod(0o600)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # the rows fit together: they did before
        for table, rows in kept.rows.items():
            with cursor.cursor.copy(f"COPY {table} FROM STDIN (FORMAT BINARY)") as copy:
                copy.write(rows)

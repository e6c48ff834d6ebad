"""The bench's own database on this checkout's servers: made anew, marked, and nothing else is touched."""

import io
import os
import shutil
from pathlib import Path
from typing import Final

from apps.simulator.own_database import make_anew
from config import services

MARKER: Final = "made by the kanpu bench, which drops it"
MIGRATED: Final = "KANPU_BENCH_MIGRATED"  # names a database with all tables, of which the parts' are copies
VAR: Final = Path(__file__).resolve().parents[1] / "var"


def prepare(name: str) -> Path:
    """Start the servers, make the database kanpu_`name`, and set Django up on it. Returns an empty folder for files.

    Before anything else of Django is imported.
    """
    services.ensure()
    server, folder = os.environ["DATABASE_URL"], empty_folder(name)
    make_anew(server, f"kanpu_{name}", marker=MARKER, template=os.environ.get(MIGRATED, "template1"))
    os.environ["DATABASE_URL"] = server.rpartition("/")[0] + f"/kanpu_{name}"
    os.environ["KANPU_ARCHIVE"] = str(folder / "archive")
    os.environ["KANPU_KEYRING"] = str(folder / "keyring.json")
    os.environ["KANPU_VAULT_KEYS"] = str(folder / "vault.json")
    os.environ["DJANGO_SETTINGS_MODULE"] = "bench.settings"
    _set_up()
    return folder


def empty_folder(name: str) -> Path:
    """A folder under var/ with nothing in it."""
    folder = VAR / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _set_up() -> None:
    import django  # noqa: PLC0415 - its settings are read when the database's address is set

    django.setup()
    from django.core.management import call_command  # noqa: PLC0415

    from config.celery import app  # noqa: PLC0415

    app.set_default()
    if MIGRATED not in os.environ:
        call_command("migrate", verbosity=0)
        call_command("distribute_tables", "--if-available", stdout=io.StringIO())

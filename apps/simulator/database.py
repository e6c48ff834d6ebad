"""The demo's own database: it is made and dropped by its name and its marker, and nothing else is touched."""

import os
import secrets
from typing import Final

import psycopg
import redis
from django.conf import settings
from django.core.management import call_command
from django.db import connections

from apps.kernel.errors import KanpuError
from apps.schemes.queries import scheme_of, tier_periods

NAME: Final = "kanpu_demo"
MARKER: Final = "made by the kanpu demo, which drops it"


class NotOurDatabase(KanpuError):
    """There is a database of the demo's name that the demo did not make."""

    code = "not_our_database"


class NotTheDemo(KanpuError):
    """The command was started without the demo's settings."""

    code = "not_the_demo"


def check_is_demo() -> None:
    """Raise NotTheDemo unless this process runs on the demo's database."""
    if settings.DATABASES["default"]["NAME"] != NAME:
        raise NotTheDemo("This empties a database: set KANPU_DEMO=1, or use `make demo`.")


def recreate() -> None:
    """An empty, migrated demo database. Raises NotTheDemo and NotOurDatabase."""
    check_is_demo()
    connections.close_all()
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as server:
        found = server.execute(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", (NAME,)
        ).fetchone()
        if found and found[0] != MARKER:
            raise NotOurDatabase(f"The server has a database {NAME} that the demo did not make. Rename or drop it.")
        server.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
        new = f"{NAME}_{secrets.token_hex(4)}"  # marked before it bears the name, whatever dies in between
        server.execute(f"CREATE DATABASE {new}")
        server.execute(f"COMMENT ON DATABASE {new} IS '{MARKER}'")
        server.execute(f"ALTER DATABASE {new} RENAME TO {NAME}")
    for remembered in (scheme_of, tier_periods):  # by numbers that mean something else from here on
        remembered.cache_clear()
    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    empty_redis()


def empty_redis() -> int:
    """Delete every key of the demo's prefix, queue and all. Returns how many there were."""
    prefix = settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"]
    with redis.Redis.from_url(settings.CELERY_BROKER_URL) as server:
        keys = list(server.scan_iter(f"{prefix}*"))
        return int(server.delete(*keys)) if keys else 0

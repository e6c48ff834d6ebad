"""The demo's own database: it is made and dropped by its name and its marker, and nothing else is touched."""

import os
from io import StringIO
from typing import Final

import redis
from django.conf import settings
from django.core.management import call_command
from django.db import connections

from apps.kernel.errors import KanpuError
from apps.schemes.queries import scheme_of, tier_periods
from apps.simulator.own_database import make_anew

NAME: Final = "kanpu_demo"
MARKER: Final = "made by the kanpu demo, which drops it"


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
    make_anew(os.environ["DATABASE_URL"], NAME, marker=MARKER)
    for remembered in (scheme_of, tier_periods):  # by numbers that mean something else from here on
        remembered.cache_clear()
    call_command("migrate", verbosity=0)
    call_command("distribute_tables", "--if-available", stdout=StringIO())
    call_command("collectstatic", verbosity=0, interactive=False)
    empty_redis()


def empty_redis() -> int:
    """Delete every key of the demo's prefix, queue and all. Returns how many there were."""
    prefix = settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"]
    with redis.Redis.from_url(settings.CELERY_BROKER_URL) as server:
        keys = list(server.scan_iter(f"{prefix}*"))
        return int(server.delete(*keys)) if keys else 0

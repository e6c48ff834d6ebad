"""What is wrong with an installation, in words, each with what to do: what `manage.py doctor` says."""

import shutil
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from celery import current_app
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from apps.audit.models import Checkpoint, LogHead
from apps.audit.operations.roles import APPEND_ONLY
from apps.kernel.errors import KanpuError
from apps.purchases.models import Batch, Poison
from apps.residents.queries.keys import checked_keyring
from apps.residents.queries.vault import checked_vault_keys
from apps.upkeep.models import Heartbeat
from apps.upkeep.queries.parts import NOT_GIVEN, keyring_state, missing_migrations, redis_answers, vault_keys_state

LAG_MOST: Final = timedelta(minutes=1)  # two seconds are usual
BEAT_MOST: Final = timedelta(minutes=5)
CHECKPOINT_MOST: Final = timedelta(minutes=10)
SKEW_MOST_S: Final = 2.0
DISK_LEAST: Final = 0.1  # of the space
WORKERS_WAIT_S: Final = 2.0
OPEN_TO_OTHERS: Final = 0o077
CONNECTIONS_MOST: Final = 0.9
MB: Final = 10**6
NOT_ARCHIVED: Final = """
    SELECT last_failed_wal, last_failed_time FROM pg_stat_archiver
    WHERE last_failed_time > coalesce(last_archived_time, '-infinity') AND current_setting('archive_mode') <> 'off'
"""
CONNECTIONS: Final = """
    SELECT (SELECT sum(numbackends) FROM pg_stat_database),
        current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
"""


class Finding(NamedTuple):
    """What is wrong with a part, and what to do about it."""

    part: str
    problem: str
    remedy: str


def findings() -> list[Finding]:
    """All that is wrong: empty when all is well. Without the database only what can be said without it."""
    found = [*_key_files(), *_folders(), *_redis()]
    missing = missing_migrations()
    if missing is None:
        return [*found, Finding("database", "PostgreSQL does not answer.", "Start it, or look at DATABASE_URL.")]
    if missing:
        listed = ", ".join(missing[:5]) + (" …" if len(missing) > 5 else "")
        return [*found, Finding("migrations", f"{len(missing)} are missing: {listed}.", "manage.py migrate")]
    for check in IN_THE_DATABASE:
        try:
            found += check()
        except (OperationalError, InterfaceError):
            connection.close()
            name = check.__name__.strip("_").replace("_", " ")
            found.append(Finding("database", f"It failed when asked for: {name}.", "Look at PostgreSQL's log."))
    return found


def _key_files() -> Iterator[Finding]:
    """Files with secrets that cannot be read, or that others can read."""
    for name, state in (("KANPU_KEYRING", keyring_state()), ("KANPU_VAULT_KEYS", vault_keys_state())):
        if state not in ("ok", NOT_GIVEN):
            yield Finding(
                "keys", f"The file of {name} cannot be read, or is damaged.",
                "Copy it from a host that has it, readable by this user (docs/operations.md).",
            )  # fmt: skip
    for path in (settings.KANPU_KEYRING, settings.KANPU_VAULT_KEYS, settings.KANPU_AUDIT_KEY):
        if path and Path(path).exists() and (mode := Path(path).stat().st_mode & OPEN_TO_OTHERS):
            yield Finding("keys", f"{path} is open to other users (…{mode:02o}).", f"chmod 600 {path}")


def _folders() -> Iterator[Finding]:
    """The archive, where it is needed, and disks that fill."""
    archive = settings.KANPU_ARCHIVE
    if settings.KANPU_KEYRING and not archive.is_dir() and not archive.parent.is_dir():
        yield Finding("archive", f"There is no folder {archive}.", "Mount it: all hosts with workers share it.")
    seen = set()
    for folder in (archive, settings.KANPU_AUDIT_LOG, settings.KANPU_PAYOUTS, settings.BASE_DIR):
        there = next((parent for parent in (Path(folder), *Path(folder).parents) if parent.exists()), Path("/"))
        device = there.stat().st_dev
        space = shutil.disk_usage(there)
        if device not in seen and space.free < space.total * DISK_LEAST:
            yield Finding(
                "disk", f"{space.free // MB:,} MB of {space.total // MB:,} are free under {there}.",
                "Make room: PostgreSQL stops when its disk is full, and tills wait.",
            )  # fmt: skip
        seen.add(device)


def _redis() -> Iterator[Finding]:
    if not redis_answers():
        yield Finding(
            "redis", "Redis does not answer: purchases are accepted, and counted when the sweep finds them.",
            "Start it, or look at REDIS_URL.",
        )  # fmt: skip
    elif not current_app.control.inspect(timeout=WORKERS_WAIT_S).ping():
        yield Finding("workers", "No worker answers.", "systemctl start kanpu-worker, and look at its log.")


def _keys_in_use() -> Iterator[Finding]:
    """Keys that are not those that the database was made with."""
    checks: tuple[tuple[str, Callable[[], object]], ...] = (
        (keyring_state(), lambda: checked_keyring(settings.KANPU_KEYRING)),
        (vault_keys_state(), checked_vault_keys),
    )
    for state, check in checks:
        if state == "ok":
            try:
                check()
            except KanpuError as error:
                yield Finding("keys", str(error), "manage.py keys_status shows which key differs.")


def _counting() -> Iterator[Finding]:
    now = timezone.now()
    waiting = Batch.objects.filter(counted_at=None, failed_at=None).order_by("lane", "id")
    oldest = min(waiting.values_list("received_at", flat=True)[:20_000], default=now)
    if now - oldest > LAG_MOST:
        yield Finding(
            "counting", f"Purchases wait to be counted since {_ago(now, oldest)}.",
            "Look whether worker and sweep run and have the right keys: manage.py keys_status, their logs.",
        )  # fmt: skip
    if poison := Poison.objects.filter(settled_at=None).count():
        yield Finding(
            "poison", f"{poison} batches or records are set aside because they fail whenever they are tried.",
            "manage.py poison says why. Mend the cause, then: manage.py poison --replay",
        )  # fmt: skip


def _clock() -> Iterator[Finding]:
    now = timezone.now()
    beat = Heartbeat.objects.filter(name="clock").values_list("at", flat=True).first()
    if beat is None or now - beat > BEAT_MOST:
        since = "was never heard" if beat is None else f"was not heard for {_ago(now, beat)}"
        yield Finding("beat", f"The clock {since}: nothing periodic is done.", "systemctl start kanpu-beat")
    began = time.time()
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
        (there,) = cursor.fetchone()
    ended = time.time()
    skew_s = max(began - there, there - ended)
    if skew_s > SKEW_MOST_S:
        yield Finding(
            "clocks", f"The database's clock and this host's are {skew_s:.1f} s apart.", "Keep both by NTP: chronyc"
        )


def _audit_log() -> Iterator[Finding]:
    now = timezone.now()
    size = LogHead.objects.values_list("size", flat=True).first() or 0
    last = Checkpoint.objects.order_by("-size").first()
    if size and (last is None or (last.size < size and now - last.at > CHECKPOINT_MOST)):
        since = "There is none" if last is None else f"The last is {_ago(now, last.at)} old"
        yield Finding("audit log", f"{since}: its checkpoints are behind.", "systemctl start kanpu-audit-log")


def _rights() -> Iterator[Finding]:
    """In production the application must not be able to change the trail."""
    if not settings.PRODUCTION:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT t FROM unnest(%s::text[]) AS t WHERE has_table_privilege(t, 'UPDATE, DELETE, TRUNCATE')",
            [list(APPEND_ONLY)],
        )
        changeable = [table for (table,) in cursor.fetchall()]
    if changeable:
        yield Finding(
            "rights", f"This role of PostgreSQL may change {', '.join(changeable)}.",
            "Connect as a role that owns nothing, after: manage.py grant_application ROLE",
        )  # fmt: skip


def _server() -> Iterator[Finding]:
    """PostgreSQL's own troubles that nobody notices until they hurt."""
    with connection.cursor() as cursor:
        cursor.execute(NOT_ARCHIVED)
        failing = cursor.fetchone()
        cursor.execute(CONNECTIONS)
        used, most = cursor.fetchone()
    if failing:
        name, at = failing
        yield Finding(
            "back-up", f"PostgreSQL failed to archive {name} {_ago(timezone.now(), at)} ago: what came since cannot be"
            " restored, and its disk fills.", "See its log for what archive_command says.",
        )  # fmt: skip
    if used > most * CONNECTIONS_MOST:
        yield Finding(
            "connections", f"{used} of PostgreSQL's {most} connections are taken: what comes next may get none.",
            "Raise max_connections above the sum of all processes, and ten (docs/operations.md), or run fewer.",
        )  # fmt: skip


def _ago(now: datetime, then: datetime) -> str:
    return str(timedelta(seconds=int((now - then).total_seconds())))


IN_THE_DATABASE: Final = (_keys_in_use, _counting, _clock, _audit_log, _rights, _server)

"""What a process leans on, and whether it is there: the database with its migrations, Redis, the files with keys."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.db.migrations.loader import MigrationLoader
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from apps.residents.keyring import KeyringMissing, load_keyring
from apps.residents.queries.vault import given_vault_keys
from apps.residents.vault.keys import VaultKeysMissing

OK: Final = "ok"
AWAY: Final = "away"
MISSING: Final = "missing"
UNREADABLE: Final = "unreadable"
NOT_GIVEN: Final = "not given"
UNKNOWN: Final = "unknown"
NEEDED: Final = ("database", "migrations", "keyring", "vault_keys")  # without Redis all goes on, rings are only later
REDIS_TIMEOUT_S: Final = 1


def parts() -> Mapping[str, str]:
    """How each part is: ok, away, missing, unreadable, not given (this process has no such keys), unknown."""
    missing = missing_migrations()
    return {
        "database": AWAY if missing is None else OK,
        "migrations": UNKNOWN if missing is None else MISSING if missing else OK,
        "redis": OK if redis_answers() else AWAY,
        "keyring": keyring_state(),
        "vault_keys": vault_keys_state(),
    }


def is_ready(found: Mapping[str, str]) -> bool:
    """Whether a process with such parts can answer."""
    return all(found[part] in (OK, NOT_GIVEN) for part in NEEDED)


def missing_migrations() -> list[str] | None:
    """The migrations of this code that the database lacks, or None if it does not answer: one query.

    One that has more, from code that is newer, is fine.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass('django_migrations')")
            if cursor.fetchone() == (None,):
                return _in_the_code()
            cursor.execute("SELECT app || '.' || name FROM django_migrations")
            applied = {name for (name,) in cursor.fetchall()}
    except (InterfaceError, OperationalError):
        connection.close()
        return None
    return [name for name in _in_the_code() if name not in applied]


@lru_cache(maxsize=1)
def _in_the_code() -> list[str]:
    loader = MigrationLoader(None)
    return sorted(f"{app}.{name}" for app, name in loader.graph.nodes)


def redis_answers() -> bool:
    """Whether Redis answers within a second."""
    try:
        return bool(_redis(settings.CELERY_BROKER_URL).ping())
    except (RedisError, OSError):
        return False


@lru_cache(maxsize=1)
def _redis(address: str) -> Redis:
    return Redis.from_url(
        address,
        socket_timeout=REDIS_TIMEOUT_S,
        socket_connect_timeout=REDIS_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )


def keyring_state() -> str:
    """Whether the file of the token keys, where one is given, can be read and is whole."""
    if settings.KANPU_KEYRING is None:
        return NOT_GIVEN
    try:
        load_keyring(Path(str(settings.KANPU_KEYRING)))
    except KeyringMissing:
        return UNREADABLE
    return OK


def vault_keys_state() -> str:
    """The same of the vault's keys."""
    if not (settings.KANPU_VAULT_KEYS or settings.KANPU_VAULT_KEYS_TEXT):
        return NOT_GIVEN
    try:
        given_vault_keys()
    except VaultKeysMissing:
        return UNREADABLE
    return OK

"""Who may work on what at a time: keys that are held while something is written under them, work that is done alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Final

from django.conf import settings
from django.db import connection

from apps.kernel.errors import KanpuError
from apps.residents.keyring import Keyring
from apps.residents.queries import checked_keyring
from apps.residents.queries.vault import checked_vault_keys
from apps.residents.vault.keys import VaultKeys, VaultKeysOutdated

CLASS: Final = 20150910  # of the advisory locks on cards and keys


class Lock(IntEnum):
    """What is locked, within CLASS."""

    KEYS = 1  # shared by transactions that write under keys, exclusive for who adds one or retires one
    ROTATING = 2
    ISSUING = 3


class WorkRunning(KanpuError):
    """Another process is at the same work."""

    code = "work_running"


def held_keyring() -> Keyring:
    """The keys to make cards with, inside the caller's transaction: they stay in use, and the newest, until it ends.

    Raises KeyringMissing and KeyringOutdated.
    """
    _hold_keys(shared=True)
    return checked_keyring(settings.KANPU_KEYRING)


def held_vault_keys() -> VaultKeys:
    """The keys to write the vault with, inside the caller's transaction: they stay in use, the newest, until it ends.

    Ask in each transaction that writes: another may have other keys. Raises VaultKeysMissing and VaultKeysOutdated.
    """
    _hold_keys(shared=True)
    return checked_vault_keys()


def hold_vault_keys(keys: VaultKeys) -> None:
    """Keep in use the keys that a long work began with, inside the transaction of each of its parts.

    With others it would not find what was moved meanwhile. Raises VaultKeysOutdated: it is to begin again.
    """
    if held_vault_keys() != keys:
        raise VaultKeysOutdated("Keys were changed meanwhile. Do it again: what was done already is known.")


def wait_for_writers() -> None:
    """Wait until nobody writes under a key, and let nobody begin before the caller's transaction ends."""
    _hold_keys(shared=False)


def _hold_keys(*, shared: bool) -> None:
    function = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s, %s)", [CLASS, Lock.KEYS])


@contextmanager
def alone(lock: Lock, doing: str) -> Iterator[None]:
    """While the block runs, nobody else does the same; the lock ends with the process. Raises WorkRunning."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [CLASS, lock])
        if cursor.fetchone() != (True,):
            raise WorkRunning(f"Another process is {doing}. Wait until it has ended.")
    try:
        yield
    finally:
        if connection.connection and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [CLASS, lock])

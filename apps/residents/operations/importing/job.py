"""What an import is told, and what it says at the end."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

import psycopg
from django.db import connection

from apps.residents.register.rows import Defect
from apps.residents.vault.keys import VaultKeys

Cursor = psycopg.Cursor[Any]
SHOWN: Final = 20
EVENT: Final = {
    "resident_id": "uuid", "kind": "text", "effective_date": "date", "recorded_at": "timestamptz", "actor": "text"
}  # fmt: skip
REGISTER_LOCK: Final = 7_005_001  # of PostgreSQL's advisory locks: who changes the register, batch by batch


@dataclass(frozen=True, slots=True)
class Job:
    """Whose register is read (a municipality's code, or empty), as it is on the day `as_of`, and who reads it when."""

    keys: VaultKeys
    municipality: str
    as_of: date
    at: datetime
    actor: str


@dataclass(slots=True)
class Report:
    """How many rows became what. `homes` are stays in households that began or ended; warnings are no rejections.

    The first defects are kept in `shown`; all go to `written`.
    """

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    homes: int = 0
    rejected: int = 0
    warned: int = 0
    shown: list[Defect] = field(default_factory=list)
    ignored_columns: list[str] = field(default_factory=list)
    written: Callable[[Defect], object] | None = None

    @property
    def is_mostly_new(self) -> bool:
        """Whether most residents of the rows so far were not known."""
        return self.added >= self.updated + self.unchanged

    def reject(self, defects: Iterable[Defect]) -> None:
        """Count rows that were not taken; the first are shown."""
        for defect in defects:
            self.rejected += 1
            self._show(defect)

    def warn(self, defects: Iterable[Defect]) -> None:
        """Count what somebody should look at though it was taken."""
        for defect in defects:
            self.warned += 1
            self._show(defect)

    def _show(self, defect: Defect) -> None:
        if len(self.shown) < SHOWN:
            self.shown.append(defect)
        if self.written:
            self.written(defect)


def raw_cursor() -> Cursor:
    """A cursor that binds on the server, in binary where asked: Django's own writes values into the text."""
    connection.ensure_connection()
    return psycopg.Cursor(connection.connection)


@contextmanager
def durable_at_the_end() -> Iterator[None]:
    """Commits within do not wait for the disk; the next one after does, for all of them."""
    with raw_cursor() as cursor:
        cursor.execute("SET synchronous_commit TO off")
        try:
            yield
        finally:
            with suppress(psycopg.errors.InFailedSqlTransaction):  # which undoes the setting itself
                cursor.execute("RESET synchronous_commit")


def lock_register(cursor: Cursor) -> None:
    """Let no other import write until this transaction ends."""
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", [REGISTER_LOCK])


def copy_rows(cursor: Cursor, table: str, columns: dict[str, str], rows: Iterable[tuple[Any, ...]]) -> None:
    """Insert rows into a table; `columns` are names and PostgreSQL's types."""
    with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT binary)") as copy:
        copy.set_types(list(columns.values()))
        for row in rows:
            copy.write_row(row)

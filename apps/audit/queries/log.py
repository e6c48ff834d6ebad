"""Reading the log: rows in its order, its tree, its proofs."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from django.db import connection

from apps.audit import merkle
from apps.audit.leaves import FIELDS
from apps.audit.models import Checkpoint, LogHead, LogTile

TABLES: Final = {"event": "audit_event", "access": "audit_accessrecord"}
ROWS: Final = {
    source: f"SELECT {', '.join(f'r.{field}' for field in fields)} FROM {TABLES[source]} r"  # noqa: S608 - own names
    for source, fields in FIELDS.items()
}
UNLOGGED: Final = """
{rows} WHERE r.written >= %s AND r.written < %s
    AND NOT EXISTS (SELECT FROM audit_logentry l WHERE l.source = %s AND l.source_id = r.id)
ORDER BY r.written, r.id LIMIT %s
"""
BY_NUMBER: Final = "{rows} WHERE r.id = ANY(%s)"
ROWS_AT_ONCE: Final = 5_000


def read_tile(level: int, number: int) -> bytes:
    """The hashes of a tile of the log's tree: one query."""
    found = LogTile.objects.filter(level=level, number=number).values_list("hashes", flat=True).first()
    return bytes(found or b"")


def log_size() -> int:
    """How many entries the log has."""
    return LogHead.objects.values_list("size", flat=True).first() or 0


def published_key() -> str:
    """The key that checks checkpoints, as PEM; empty before the first one."""
    return LogHead.objects.values_list("public_key", flat=True).first() or ""


def checkpoint(size: int | None = None) -> Checkpoint | None:
    """The newest checkpoint, or the one of that many entries."""
    found = Checkpoint.objects.order_by("-size")
    return (found if size is None else found.filter(size=size)).first()


def consistency(old_size: int, size: int) -> list[bytes]:
    """Hashes showing that the log of `old_size` entries is the beginning of the one of `size` (RFC 9162, 2.1.4).

    Raises NotInTree, TileDamaged.
    """
    return merkle.consistency_path(old_size=old_size, size=min(size, log_size()), read=read_tile)


def unlogged_rows(source: str, *, start: int, end: int, most: int) -> list[Sequence[Any]]:
    """Rows that transactions from `start` to before `end` wrote and that are not in the log, in their order."""
    with connection.cursor() as cursor:
        cursor.execute(UNLOGGED.format(rows=ROWS[source]), [start, end, source, most])
        return list(cursor.fetchall())


def logged_rows(first: int) -> Iterator[tuple[int, str, int, bytes, Sequence[Any] | None]]:
    """Position, source, number and leaf of the log's entries from `first` on, with each row (None: it is gone)."""
    while rows := _logged(first):
        yield from rows
        first = rows[-1][0] + 1


def _logged(first: int) -> list[tuple[int, str, int, bytes, Sequence[Any] | None]]:
    found: list[tuple[int, str, int, bytes, Sequence[Any] | None]] = []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT position, source, source_id, leaf FROM audit_logentry WHERE position >= %s"
            " ORDER BY position LIMIT %s",
            [first, ROWS_AT_ONCE],
        )
        entries = cursor.fetchall()
        rows: dict[tuple[str, int], Sequence[Any]] = {}
        for source, rows_of in ROWS.items():
            numbers = [entry[2] for entry in entries if entry[1] == source]
            cursor.execute(BY_NUMBER.format(rows=rows_of), [numbers])
            rows |= {(source, row[0]): row for row in cursor.fetchall()}
    for position, source, number, leaf in entries:
        found.append((position, source, number, bytes(leaf), rows.get((source, number))))
    return found


def unlogged(source: str, *, before: int) -> list[int]:
    """Numbers of rows that are not in the log though it has gone past their transactions: the first hundred."""
    return [row[0] for row in unlogged_rows(source, start=0, end=before, most=100)]

"""Spreading tables over a Citus cluster. Nothing else in Kanpu knows of one: statements stay within what it can do.

Each table is distributed in a transaction of its own, so what died half-way goes on with the next call.
"""

from typing import Final, NamedTuple

from django.db import DatabaseError, connection
from django.db.backends.utils import CursorWrapper

from apps.kernel.errors import KanpuError
from apps.kernel.progress import Seen, nothing_seen
from apps.refunds.distribution import DISTRIBUTED, REFERENCE

SPREAD: Final = """
SELECT c.relname, CASE WHEN d.partkey IS NULL THEN d.repmodel::text ELSE column_to_column_name(c.oid, d.partkey) END
FROM pg_dist_partition d JOIN pg_class c ON c.oid = d.logicalrelid
"""
COPIED: Final = "t"  # how pg_dist_partition marks a table that every machine has a copy of
HINT: Final = "On one PostgreSQL nothing has to be distributed. For a cluster see docs/scaling.md."


class CitusMissing(KanpuError):
    """The server is no coordinator of a Citus cluster, or may not become one."""

    code = "citus_missing"


class DistributedOtherwise(KanpuError):
    """A table is distributed in another way than the plan says."""

    code = "distributed_otherwise"


class Placed(NamedTuple):
    """A table that is to be spread: by a `column`, beside the table `beside`; without a column each machine has it."""

    table: str
    column: str | None
    beside: str | None


def plan() -> list[Placed]:
    """All tables that are to be spread, in order."""
    placed = [Placed(table, None, None) for table in REFERENCE.tables]
    for group in DISTRIBUTED:
        first = next(iter(group.columns))
        placed += [Placed(table, column, first if table != first else None) for table, column in group.columns.items()]
    return placed


def is_coordinator() -> bool:
    """Whether the server has Citus at work, in this database or for it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('shared_preload_libraries') ~ '\\mcitus\\M'"
            " AND EXISTS (SELECT FROM pg_available_extensions WHERE name = 'citus')"
        )
        return bool(cursor.fetchone() == (True,))


def distribute(*, seen: Seen = nothing_seen) -> list[Placed]:
    """Spread the tables that are not spread yet, rows and partitions included. Returns which; none the next time.

    Outside of transactions, while nobody works on them. `seen` is told how many are done. Raises CitusMissing and
    DistributedOtherwise; then nothing was begun.
    """
    with connection.cursor() as cursor:
        _need_citus(cursor)
        return spread(cursor, seen)


def spread(cursor: CursorWrapper, seen: Seen) -> list[Placed]:
    """The same, where Citus is there."""
    left, done = waiting(cursor), []
    for placed in left:
        _place(cursor, placed)
        done.append(placed)
        seen(len(done), len(left))
    return done


def waiting(cursor: CursorWrapper) -> list[Placed]:
    """What is not spread yet. Raises DistributedOtherwise."""
    cursor.execute(SPREAD)
    there = dict(cursor.fetchall())
    for table, column, _ in plan():
        if there.get(table, column or COPIED) != (column or COPIED):
            raise DistributedOtherwise(
                f"{table} is distributed already, and not {f'by {column}' if column else 'as a reference table'}."
                f" Take that back first: SELECT undistribute_table('{table}')"
            )
    return [placed for placed in plan() if placed.table not in there]


def _need_citus(cursor: CursorWrapper) -> None:
    cursor.execute("SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')")
    if cursor.fetchone() == (True,):
        return
    if not is_coordinator():
        raise CitusMissing(f"This PostgreSQL has no Citus among its extensions, or does not load it. {HINT}")
    try:
        cursor.execute("CREATE EXTENSION citus")
    except DatabaseError as error:
        raise CitusMissing(f"The extension citus cannot be created here: {str(error).strip()}. {HINT}") from error


def _place(cursor: CursorWrapper, placed: Placed) -> None:
    if placed.column is None:
        cursor.execute("SELECT create_reference_table(%s)", [placed.table])
        return
    cursor.execute(
        "SELECT create_distributed_table(%s, %s, colocate_with => %s)",
        [placed.table, placed.column, placed.beside or "none"],
    )
    cursor.execute("SELECT truncate_local_data_after_distributing_table(%s)", [placed.table])  # rows were copied

"""What was counted before a migration is there after it, forward and back."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)
MONTHLY = [
    (UUID(int=1), 2017, 1, 1, "reduced", 1080, 2),
    (UUID(int=1), 2017, 1, 12, "reduced", -80, 0),
    (UUID(int=1), 2017, 1, 12, "standard", 550, 1),
    (UUID(int=1), 2017, 2, 3, "reduced", 10**15, 2**31 - 1),
    (UUID(int=2), 2017, 0, 6, "standard", 1, 1),
]


@contextmanager
def migrated(name: str) -> Iterator[None]:
    """The accruals as of a migration, while the block runs."""
    try:
        MigrationExecutor(connection).migrate([("accruals", name)])
        yield
    finally:
        executor = MigrationExecutor(connection)
        executor.migrate(executor.loader.graph.leaf_nodes())


def rows_of(statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def partitions(table: str) -> list[tuple[Any, ...]]:
    return rows_of(f"SELECT relid::regclass::text FROM pg_partition_tree('{table}') WHERE isleaf ORDER BY 1")


def made_of(partition: str) -> list[tuple[Any, ...]]:
    """A partition's indexes and constraints, by name, and how full its pages are."""
    return [
        *rows_of(f"SELECT indexname, indexdef FROM pg_indexes WHERE tablename = '{partition}' ORDER BY 1"),
        *rows_of(
            f"SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = '{partition}'::regclass"
            " AND contype <> 'n' ORDER BY 1"
        ),
        *rows_of(f"SELECT reloptions FROM pg_class WHERE relname = '{partition}'"),
    ]


def test_totals_by_month_become_rows_of_twelve_months_and_back(world: World) -> None:
    columns = "resident_ref, tax_year, run, month, tier, amount_minor, purchases"
    before = partitions("accruals_total")
    with migrated("0002_all_kinds"):
        assert partitions("accruals_total") == before
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO accruals_total VALUES (%s, %s, %s, %s, %s, %s, %s)", MONTHLY)
    assert partitions("accruals_total") == before
    assert rows_of("SELECT run, tier, amounts_minor, purchases, bases_minor FROM accruals_total ORDER BY 2, 1") == [
        (1, "reduced", [1080, *[0] * 10, -80], [2, *[0] * 11], None),
        (2, "reduced", [0, 0, 10**15, *[0] * 9], [0, 0, 2**31 - 1, *[0] * 9], None),
        (0, "standard", [*[0] * 5, 1, *[0] * 6], [*[0] * 5, 1, *[0] * 6], None),
        (1, "standard", [*[0] * 11, 550], [*[0] * 11, 1], None),
    ]
    assert rows_of("SELECT reloptions FROM pg_class WHERE relname = 'accruals_total_2017'") == [(["fillfactor=70"],)]
    with migrated("0002_all_kinds"):
        assert rows_of(f"SELECT {columns} FROM accruals_total ORDER BY 1, 3, 4, 5") == MONTHLY


def test_entries_lose_what_follows_from_their_amounts_and_get_it_back(world: World) -> None:
    columns = "resident_ref, tax_year, terminal_id, seq, run, part, month, at, kind, of_terminal_id, of_seq, tiers"
    entries = [
        ("sale", 1, None, 1, ["reduced", "standard"], [1080, 550], [1, 1]),
        ("return", 2, 1, 1, ["reduced"], [-80], [0]),
        ("return", 3, 1, 2, ["reduced", "standard"], [-1000, -50], [-1, 0]),
        ("sale", 4, None, 2, ["standard"], [1], [1]),
        ("void", 5, 4, 2, ["standard"], [-1], [-1]),
    ]
    ref, at = UUID(int=1), "2017-03-01T00:00:00Z"
    new, years = made_of("accruals_entry_2017"), partitions("accruals_entry")
    with migrated("0004_withheld"), connection.cursor() as cursor:
        assert made_of("accruals_entry_2017") != new
        for kind, seq, of_seq, run, tiers, amounts, purchases in entries:
            cursor.execute(
                f"INSERT INTO accruals_entry ({columns}, amounts_minor, purchases)"
                " VALUES (%s, %s, %s, %s, %s, 1, 3, %s, %s, %s, %s, %s, %s, %s)",
                [ref, 2017, 7, seq, run, at, kind, of_seq and 7, of_seq, tiers, amounts, purchases],
            )
    assert rows_of("SELECT seq, kind, of_seq, run, tiers, amounts_minor FROM accruals_entry ORDER BY seq") == [
        (seq, kind, of_seq, run, tiers, amounts) for kind, seq, of_seq, run, tiers, amounts, _ in entries
    ]
    assert (made_of("accruals_entry_2017"), partitions("accruals_entry")) == (new, years)
    with migrated("0004_withheld"):
        assert rows_of("SELECT seq, purchases FROM accruals_entry ORDER BY seq") == [(e[1], e[6]) for e in entries]

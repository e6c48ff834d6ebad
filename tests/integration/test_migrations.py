"""What was counted before a migration is there after it, forward and back."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from tests.world import World

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("one_machine")]
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


def partitions() -> list[tuple[Any, ...]]:
    return rows_of("SELECT relid::regclass::text FROM pg_partition_tree('accruals_total') WHERE isleaf ORDER BY 1")


def test_totals_by_month_become_rows_of_twelve_months_and_back(world: World) -> None:
    columns = "resident_ref, tax_year, run, month, tier, amount_minor, purchases"
    before = partitions()
    with migrated("0002_all_kinds"):
        assert partitions() == before
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO accruals_total VALUES (%s, %s, %s, %s, %s, %s, %s)", MONTHLY)
    assert partitions() == before
    assert rows_of("SELECT run, tier, amounts_minor, purchases, bases_minor FROM accruals_total ORDER BY 2, 1") == [
        (1, "reduced", [1080, *[0] * 10, -80], [2, *[0] * 11], None),
        (2, "reduced", [0, 0, 10**15, *[0] * 9], [0, 0, 2**31 - 1, *[0] * 9], None),
        (0, "standard", [*[0] * 5, 1, *[0] * 6], [*[0] * 5, 1, *[0] * 6], None),
        (1, "standard", [*[0] * 11, 550], [*[0] * 11, 1], None),
    ]
    assert rows_of("SELECT reloptions FROM pg_class WHERE relname = 'accruals_total_2017'") == [(["fillfactor=70"],)]
    with migrated("0002_all_kinds"):
        assert rows_of(f"SELECT {columns} FROM accruals_total ORDER BY 1, 3, 4, 5") == MONTHLY

"""What a cluster does with each table: every table has its place, and every place is one that a cluster takes."""

import json
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection

from apps.refunds.distribution import DISTRIBUTED, LOCAL, REFERENCE
from apps.refunds.operations.distributing import DistributedOtherwise, spread

pytestmark = pytest.mark.django_db(transaction=True)
COLUMN = {table: column for group in DISTRIBUTED for table, column in group.columns.items()}
GROUP = {table: number for number, group in enumerate(DISTRIBUTED) for table in group.columns}
SPREAD = [*COLUMN, *REFERENCE.tables]


def rows(statement: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def test_every_table_has_one_place() -> None:
    placed = [*SPREAD, *(table for rest in LOCAL for table in rest.tables)]
    there = {
        name
        for (name,) in rows(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p') AND NOT relispartition"
        )
    }
    assert len(placed) == len(set(placed))
    assert set(placed) == there
    models = {model._meta.db_table for model in apps.get_models(include_auto_created=True) if model._meta.managed}
    assert models <= there


@pytest.mark.parametrize("table", COLUMN)
def test_every_key_contains_what_its_table_is_distributed_by(table: str) -> None:
    keys = rows(f"""
        SELECT i.indexrelid::regclass::text, array_agg(a.attname::text) FROM pg_index i
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey[0:i.indnkeyatts - 1])
        WHERE i.indrelid = '{table}'::regclass AND i.indisunique GROUP BY 1
    """)
    assert any(name == f"{table}_pkey" for name, _ in keys)
    assert [name for name, columns in keys if COLUMN[table] not in columns] == []
    assert rows(f"SELECT conname FROM pg_constraint WHERE conrelid = '{table}'::regclass AND contype = 'x'") == []
    assert (
        rows(f"""
        SELECT attname FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attidentity <> ''
        AND atttypid <> 'int8'::regtype
    """)
        == []
    )  # machines of a cluster count in ranges of their own: only a bigint has room for them


def test_tables_of_a_group_are_distributed_by_one_type() -> None:
    for group in DISTRIBUTED:
        types = {
            rows(f"""
                SELECT atttypid::regtype::text, attnotnull FROM pg_attribute
                WHERE attrelid = '{table}'::regclass AND attname = '{column}'
            """)[0]
            for table, column in group.columns.items()
        }
        assert len(types) == 1
        assert types.pop()[1]


def test_no_trigger_is_on_a_table_that_is_spread() -> None:
    triggers = {table for (table,) in rows("SELECT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal")}
    assert triggers
    assert triggers.isdisjoint(SPREAD)


def test_foreign_keys_stay_within_a_group_or_among_reference_tables_or_at_home() -> None:
    keys = rows(
        "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint"
        " WHERE contype = 'f' AND conparentid = 0"
    )
    assert keys
    for table, to in keys:
        if table in COLUMN:
            assert GROUP[table] == GROUP.get(to) or to in REFERENCE.tables, f"{table} names {to}"
        else:
            assert (table in REFERENCE.tables) == (to in REFERENCE.tables), f"{table} names {to}"
            assert to not in COLUMN


@pytest.mark.usefixtures("one_machine")
def test_without_the_extension_it_is_refused_in_clear_words() -> None:
    with pytest.raises(CommandError, match=r"has no Citus .* docs/scaling.md. \[citus_missing\]"):
        call_command("distribute_tables")
    out = StringIO()
    call_command("distribute_tables", "--if-available", "--json", stdout=out)
    assert json.loads(out.getvalue()) == {"dry_run": False, "distributed": [], "reference": []}


def test_a_dry_run_says_where_every_table_goes() -> None:
    out = StringIO()
    call_command("distribute_tables", "--dry-run", "--json", stdout=out)
    said = json.loads(out.getvalue())
    assert {"table": "accruals_total", "column": "resident_ref", "beside": "accruals_entry"} in said["distributed"]
    assert "merchants_terminal" in said["reference"]
    assert "audit_event" in said["local"]
    out = StringIO()
    call_command("distribute_tables", "--dry-run", stdout=out)
    assert "table purchases_closing, column lane, beside purchases_batch" in out.getvalue()


CLUSTER = """
CREATE SCHEMA cluster;
CREATE TABLE cluster.pg_dist_partition (logicalrelid oid, partkey text, repmodel "char", beside text);
CREATE FUNCTION cluster.column_to_column_name(oid, text) RETURNS text LANGUAGE sql AS 'SELECT $2';
CREATE FUNCTION cluster.create_reference_table(text) RETURNS void LANGUAGE sql AS
    'INSERT INTO cluster.pg_dist_partition VALUES ($1::regclass, NULL, ''t'')';
CREATE FUNCTION cluster.create_distributed_table(t text, c text, colocate_with text) RETURNS void LANGUAGE sql AS
    'INSERT INTO cluster.pg_dist_partition VALUES (t::regclass, c, ''s'', colocate_with)';
CREATE FUNCTION cluster.truncate_local_data_after_distributing_table(regclass) RETURNS void LANGUAGE sql AS '';
SET search_path = cluster, public;
"""


@pytest.fixture
def cluster(one_machine: None) -> Any:
    """What the command calls of a cluster, by the names and the catalogue that Citus has."""
    with connection.cursor() as cursor:
        cursor.execute(CLUSTER)
        yield cursor
        cursor.execute("RESET search_path; DROP SCHEMA cluster CASCADE")


def test_it_goes_on_where_it_stopped_and_the_next_time_there_is_nothing_to_do(cluster: Any) -> None:
    seen: list[tuple[int, int]] = []
    cluster.execute("SELECT create_reference_table('merchants_merchant')")
    done = spread(cluster, lambda *numbers: seen.append(numbers))
    assert len(done) == len(SPREAD) - 1
    assert seen[-1] == (len(done), len(done))
    cluster.execute("SELECT logicalrelid::regclass::text, partkey FROM pg_dist_partition")
    assert {table: column for table, column in cluster.fetchall() if column} == COLUMN
    assert spread(cluster, lambda *_: None) == []


def test_a_table_that_is_distributed_otherwise_stops_it_before_it_begins(cluster: Any) -> None:
    cluster.execute("SELECT create_distributed_table('accruals_total', 'tax_year', 'none')")
    with pytest.raises(DistributedOtherwise, match="accruals_total is distributed already, and not by resident_ref"):
        spread(cluster, lambda *_: None)
    cluster.execute("SELECT count(*) FROM pg_dist_partition")
    assert cluster.fetchone() == (1,)

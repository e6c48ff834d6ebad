"""The register as a run sees it: a snapshot of households and attributes at the freeze, kept and archived.

Only for schemes that ask for it. Both assessments read this snapshot, so a run can be repeated whatever changes later.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import duckdb
import psycopg
from django.conf import settings
from django.db import connection

from apps.refunds.grouping import groups_of
from apps.refunds.models import Member, Run
from apps.residents.operations import hold_register
from apps.residents.queries import Registered, registered_in
from apps.schemes.document import asks_the_register
from apps.schemes.queries import scheme_of

COPY = (
    "COPY refunds_member (resident_ref, tax_year, run, first_month, last_month, household_ref, group_ref, payee_ref,"
    " attributes) FROM STDIN"
)
EXPORT = """
COPY (SELECT resident_ref, household_ref, first_month, last_month, attributes FROM refunds_member
      WHERE tax_year = {year:d} AND run = {run:d} ORDER BY resident_ref, first_month) TO STDOUT (FORMAT csv)
"""
WRITE = """
COPY (SELECT * FROM read_csv('{source}', header = false, columns = {{
    'resident_ref': 'UUID', 'household_ref': 'UUID', 'first_month': 'TINYINT', 'last_month': 'TINYINT',
    'attributes': 'VARCHAR'}})) TO '{path}' (FORMAT parquet, COMPRESSION zstd)
"""


def take_snapshot(run: Run) -> int:
    """Keep the stretches and attributes of all who have any, inside the caller's transaction. Returns how many rows."""
    if not asks_the_register(scheme_of(run.tax_year.scheme_version_id)):
        return 0
    hold_register()  # it is read twice, and must say the same
    movers = ([s.household_ref for s in r.stretches] for r in registered_in(run.tax_year_id) if len(r.stretches) > 1)
    groups = groups_of(movers)
    rows = (row for registered in registered_in(run.tax_year_id) for row in _rows(run, registered, groups))
    kept = 0
    while some := list(islice(rows, 10_000)):  # a COPY cannot run while its rows are still being read
        with psycopg.Cursor(connection.connection) as cursor, cursor.copy(COPY) as copy:
            for row in some:
                copy.write_row(row)
        kept += len(some)
    return kept


def _rows(run: Run, registered: Registered, groups: Mapping[UUID, UUID]) -> Iterator[tuple[object, ...]]:
    attributes = json.dumps(registered.attributes, sort_keys=True)
    for stretch in registered.stretches:
        group = groups.get(stretch.household_ref, stretch.household_ref)
        yield (
            registered.resident_ref, run.tax_year_id, run.number, stretch.first_month, stretch.last_month,
            stretch.household_ref, group, registered.payee_ref, attributes,
        )  # fmt: skip


def write_register(run: Run) -> None:
    """Write a run's snapshot to a Parquet file, once, and keep its SHA-256 with the run."""
    rows = Member.objects.filter(tax_year=run.tax_year_id, run=run.number)
    if run.register_file or not rows.exists():
        return
    name = Path(str(run.tax_year_id)) / f"run-{run.number:02}" / "register.parquet"
    path = settings.KANPU_ARCHIVE / name
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with TemporaryDirectory(dir=path.parent) as scratch, duckdb.connect() as duck:
        source = Path(scratch) / "members.csv"
        statement = EXPORT.format(year=run.tax_year_id, run=run.number)
        with connection.cursor() as cursor, source.open("wb") as file, cursor.cursor.copy(statement) as copy:
            for block in copy:
                file.write(block)
        duck.execute("SET threads = 1")
        written = Path(scratch) / "register.parquet"
        duck.execute(WRITE.format(source=_quoted(source), path=_quoted(written)))
        content = written.read_bytes()
        written.chmod(0o600)
        written.replace(path)
    run.register_file = {"path": str(name), "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    run.save(update_fields=["register_file"])


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")

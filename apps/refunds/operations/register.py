"""The register as a run sees it: a snapshot of households and attributes at the freeze, kept and archived.

Only for schemes that ask for it. Both assessments read this snapshot, so a run can be repeated whatever changes later.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import duckdb
import psycopg
from django.conf import settings
from django.db import connection

from apps.accruals.operations.archiving import copy_out, file_digest, put_in_place, scratch_folder
from apps.accruals.operations.restoring import ArchiveNotRestored, Restored, damage_of, move_aside
from apps.refunds.grouping import groups_of
from apps.refunds.models import Member, Run
from apps.refunds.operations.steps import record
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
    if run.register_file or not Member.objects.filter(tax_year=run.tax_year_id, run=run.number).exists():
        return
    with scratch_folder(settings.KANPU_ARCHIVE) as scratch:
        file = _rendered(run, scratch)
        put_in_place(scratch, settings.KANPU_ARCHIVE, file)
    run.register_file = file
    run.save(update_fields=["register_file"])


def restore_registers(year: int, *, now: datetime, actor: str) -> list[Restored]:
    """Write the snapshots of a year's runs anew whose files are missing or damaged. Returns which.

    Nothing is written over: a damaged file is moved aside. Raises ArchiveNotRestored when the rows make other bytes.
    """
    restored = []
    for run in Run.objects.filter(tax_year_id=year, register_file__isnull=False).order_by("number"):
        if run.register_file and (was := damage_of(run.register_file)):
            restored.append(_restored(run, run.register_file, was, now))
            record(run, "archive.restore", actor, restored[-1]._asdict())
    return restored


def _restored(run: Run, file: dict[str, Any], was: Literal["missing", "damaged"], now: datetime) -> Restored:
    with scratch_folder(settings.KANPU_ARCHIVE) as scratch:
        if _rendered(run, scratch)["sha256"] != file["sha256"]:
            raise ArchiveNotRestored(f"The register's rows make another file than {file['path']}: use a backup.")
        moved_to = move_aside(settings.KANPU_ARCHIVE, file["path"], now) if was == "damaged" else None
        put_in_place(scratch, settings.KANPU_ARCHIVE, file)
    return Restored(file["path"], was, moved_to)


def _rendered(run: Run, scratch: Path) -> dict[str, Any]:
    """A run's snapshot as a file in `scratch`, and its line of the manifest. The same rows make the same bytes."""
    source, written = scratch / "members.csv", scratch / "register.parquet"
    copy_out(EXPORT.format(year=run.tax_year_id, run=run.number), source)
    with duckdb.connect() as duck:
        duck.execute("SET threads = 1")
        duck.execute(WRITE.format(source=_quoted(source), path=_quoted(written)))
    name = f"{run.tax_year_id}/run-{run.number:02}/{written.name}"
    return {"path": name, "bytes": written.stat().st_size, "sha256": file_digest(written)}


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")

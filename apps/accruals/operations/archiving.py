"""The entries' Parquet archive: a closed part is written once, a file per month, and listed with its SHA-256.

Only while its run is open is a part written anew: when residents have withdrawn purchases that are in it.

Files hold residents' references, never a token or a number. `sale_terminal_id` and `sale_seq` name the purchase that an
entry belongs to: its own record, or for a return, void or correction the sale.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q

from apps.accruals.models import ArchivePart
from apps.audit.operations import record_event
from apps.kernel.errors import KanpuError
from apps.schemes.models import TaxYear
from apps.schemes.queries import YEAR_LOCK

EXPORT = """
COPY (SELECT resident_ref, terminal_id, seq, coalesce(of_terminal_id, terminal_id), coalesce(of_seq, seq),
             run, part, month, at AT TIME ZONE 'UTC' AS sold_at,
             array_to_string(tiers, ' ') AS tiers, array_to_string(amounts_minor, ' ') AS amounts_minor
      FROM accruals_entry WHERE tax_year = {year:d} AND part = {part:d} AND run = {run:d}
      ORDER BY month, resident_ref, terminal_id, seq, at) TO STDOUT (FORMAT csv)
"""
READ = """
CREATE TABLE entries AS SELECT resident_ref, terminal_id, seq, sale_terminal_id, sale_seq, run, part, month, sold_at,
    string_split(tiers, ' ') AS tiers, string_split(amounts_minor, ' ')::BIGINT[] AS amounts_minor
FROM read_csv(?, header = false, columns = {
    'resident_ref': 'UUID', 'terminal_id': 'INTEGER', 'seq': 'INTEGER', 'sale_terminal_id': 'INTEGER',
    'sale_seq': 'INTEGER', 'run': 'SMALLINT', 'part': 'SMALLINT', 'month': 'TINYINT', 'sold_at': 'TIMESTAMP',
    'tiers': 'VARCHAR', 'amounts_minor': 'VARCHAR'})
"""
WRITE = """
COPY (SELECT * FROM entries WHERE month = {month:d} ORDER BY resident_ref, terminal_id, seq, sold_at)
TO '{path}' (FORMAT parquet, COMPRESSION zstd)
"""


class ArchiveConflict(KanpuError):
    """A file of the archive is in the way: it is never written over."""

    code = "archive_conflict"


def lock_year(year: int) -> TaxYear:
    """The year's row, locked until commit against all who count under it; first come, first served."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [YEAR_LOCK, year])
    return TaxYear.objects.select_for_update().get(year=year)


def close_part(row: TaxYear, *, now: datetime) -> None:
    """Close the open archive part of a year that the caller has locked."""
    ArchivePart.objects.create(tax_year=row.year, part=row.open_part, run=row.open_run, closed_at=now)
    row.open_part += 1
    row.save(update_fields=["open_part"])


def archive_year(year: int, *, now: datetime) -> int:
    """Close the year's open part and write every part not yet written. Returns how many were written."""
    with transaction.atomic():
        close_part(lock_year(year), now=now)
    return write_closed_parts(year, now=now)


def write_closed_parts(year: int, *, now: datetime) -> int:
    """Write the closed parts that have no files yet, and those anew whose run is open and of which entries were erased.

    Returns how many; a part that died half-way is written anew. Nothing is written of a year that was erased.
    """
    unwritten = ArchivePart.objects.filter(Q(written_at=None) | Q(erased__gt=0), tax_year=year, erased_at=None)
    return sum(_write_if_unwritten(part_id, now) for part_id in unwritten.order_by("part").values_list("pk", flat=True))


@transaction.atomic
def _write_if_unwritten(part_id: int, now: datetime) -> bool:
    part = ArchivePart.objects.select_for_update().get(pk=part_id)
    if part.written_at and not part.erased:  # by somebody else, while we waited
        return False
    before = part.files if part.written_at else None
    part.files = _write_part(part, settings.KANPU_ARCHIVE)
    if before is not None:
        _record_rewriting(part, before, now)
    part.written_at, part.erased = now, 0
    part.save(update_fields=["files", "written_at", "erased"])
    return True


def _write_part(part: ArchivePart, archive: Path) -> list[dict[str, Any]]:
    """Write the part's files. What erased entries are in is written over, and what was moved aside of it deleted."""
    with scratch_folder(archive) as scratch:
        files = render_part(part, scratch)
        for file in files:
            path = archive / file["path"]
            if not part.erased and path.exists() and file_digest(path) != file["sha256"]:
                raise ArchiveConflict(
                    f"{path} holds something else. Move it away: archived files are never written over."
                )
            put_in_place(scratch, archive, file)
    if part.erased:
        _delete_others(part, {archive / file["path"] for file in files}, archive)
    return files


def _delete_others(part: ArchivePart, kept: set[Path], archive: Path) -> None:
    """Delete the part's files of months that are empty now, and damaged ones that were moved aside."""
    folder = archive / run_folder(part)
    for path in folder.glob(f"month-*-part-{part.part:04}.parquet*"):
        if path not in kept:
            path.unlink()


def _record_rewriting(part: ArchivePart, before: list[dict[str, Any]], now: datetime) -> None:
    detail = {
        "part": part.part, "run": part.run, "erased": part.erased,
        "was": {file["path"]: file["sha256"] for file in before},
        "is": {file["path"]: file["sha256"] for file in part.files},
    }  # fmt: skip
    record_event(at=now, actor="clock", action="archive.rewrite", subject=str(part.tax_year), detail=detail)


def run_folder(part: ArchivePart) -> str:
    """Where the files of a part's run lie, below the archive's folder."""
    return f"{part.tax_year}/run-{part.run:02}"


@contextmanager
def scratch_folder(archive: Path) -> Iterator[Path]:
    """A private folder on the archive's disk while the block runs."""
    archive.mkdir(parents=True, exist_ok=True, mode=0o700)
    with TemporaryDirectory(dir=archive) as scratch:
        yield Path(scratch)


def render_part(part: ArchivePart, scratch: Path) -> list[dict[str, Any]]:
    """Write a part's entries to a file a month in `scratch`. Returns their lines of the manifest.

    The same entries make the same bytes, as long as DuckDB writes the same.
    """
    export = scratch / "entries.csv"
    copy_out(EXPORT.format(year=part.tax_year, part=part.part, run=part.run), export)
    if export.stat().st_size == 0:
        return []
    with duckdb.connect() as duck:
        duck.execute("SET threads = 1")  # with more, the same rows would make other bytes each time
        duck.execute(READ, [str(export)])
        months = duck.execute(
            "SELECT month, count(*), sum(list_sum(amounts_minor))::BIGINT FROM entries GROUP BY month ORDER BY month"
        ).fetchall()
        return [_render_month(duck, part, scratch, figures) for figures in months]


def put_in_place(scratch: Path, archive: Path, file: dict[str, Any]) -> None:
    """Move a rendered file to its path in the archive, so that it survives a power cut from here on."""
    path, rendered = archive / file["path"], scratch / Path(file["path"]).name
    for folder in (path.parent.parent, path.parent):
        folder.mkdir(exist_ok=True, mode=0o700)
    rendered.chmod(0o600)
    _to_disk(rendered)
    rendered.replace(path)
    _to_disk(path.parent)


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _render_month(
    duck: duckdb.DuckDBPyConnection, part: ArchivePart, scratch: Path, figures: tuple[int, int, int]
) -> dict[str, Any]:
    month, entries, amount_minor = figures
    name = f"month-{month:02}-part-{part.part:04}.parquet"
    rendered = scratch / name
    duck.execute(WRITE.format(month=month, path=str(rendered).replace("'", "''")))
    return {
        "month": month,
        "path": f"{run_folder(part)}/{name}",
        "bytes": rendered.stat().st_size,
        "sha256": file_digest(rendered),
        "entries": entries,
        "amount_minor": amount_minor,
    }


def copy_out(statement: str, path: Path, values: Sequence[object] = ()) -> None:
    """Write what a COPY … TO STDOUT gives to a file, block by block."""
    with connection.cursor() as cursor, path.open("wb") as file, cursor.cursor.copy(statement, values or None) as copy:
        for block in copy:
            file.write(block)


def _to_disk(path: Path) -> None:
    """Wait until a file's content, or a folder's names, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

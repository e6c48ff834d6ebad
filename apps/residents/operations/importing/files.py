"""Reading a register's file into the database, and entering residents by hand: both take rows the same way."""

import csv
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from django.db import connection, transaction

from apps.audit.operations import record_event
from apps.kernel.errors import KanpuError
from apps.residents.operations.importing.households import NO_HEAD, placing_beside, settle_households
from apps.residents.operations.importing.job import Job, Report, durable_at_the_end
from apps.residents.operations.importing.people import Taken, take
from apps.residents.operations.importing.staging import staging
from apps.residents.operations.secret_files import FileExists
from apps.residents.queries.vault import checked_vault_keys
from apps.residents.register.pool import CHUNK, prepared_chunks
from apps.residents.register.prepared import Outcome, Reading, Record, prepared_row
from apps.residents.register.rows import Defect, Layout, Row, Said, TableUnreadable, read_header, read_row
from apps.residents.register.table import Scanned, read_records

MUNICIPALITY: Final = re.compile(r"[0-9]{6}")
Seen = Callable[[str, int], None]


class MunicipalityMalformed(KanpuError):
    """This is no municipality's code."""

    code = "municipality_malformed"


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV file of residents, and the new file for all that is wrong with it, if one is wanted."""

    path: Path
    rejects: Path | None = None
    dry_run: bool = False


def import_table(
    table: Table, scanned: Scanned, *, municipality: str, as_of: date, at: datetime, actor: str, seen: Seen
) -> Report:
    """Bring the register up to what a municipality's table says, as of a day; the same table again changes nothing.

    Rows are taken a few thousand a transaction, so an import that was killed is taken up by running it again. With
    `dry_run` all is done and undone again. `seen` hears of each phase ("residents", "households") how far in the file
    it is. Raises TableUnreadable, MunicipalityMalformed, FileExists, VaultKeysMissing, VaultKeysOutdated and
    ImportInterrupted.
    """
    job = _job(municipality, as_of, at, actor)
    with ExitStack() as stack:
        lines = stack.enter_context(table.path.open(encoding=scanned.encoding, errors="surrogateescape"))
        records = read_records(lines)
        reading = Reading(_layout(table, records), job.keys, municipality)
        report = Report(ignored_columns=reading.layout.ignored)
        if table.rejects:
            report.written = stack.enter_context(_rejects(table.rejects))
        if table.dry_run:
            stack.enter_context(_undone())
        stack.enter_context(staging())
        processes = (os.cpu_count() or 1) if scanned.lines > CHUNK else 0  # or it is done before they have started
        chunks = prepared_chunks(reading, records, lambda: report.is_mostly_new, processes=processes)
        with durable_at_the_end():
            _take_all(job, report, chunks, seen)
            settle_households(job, report, lambda line: seen("households", line))
        _record(job, report)
    return report


def _job(municipality: str, as_of: date, at: datetime, actor: str) -> Job:
    if municipality and not MUNICIPALITY.fullmatch(municipality):
        raise MunicipalityMalformed("A municipality's code (全国地方公共団体コード) has 6 digits.")
    return Job(checked_vault_keys(), municipality, as_of, at, actor)


def _take_all(job: Job, report: Report, outcomes: Iterable[Outcome], seen: Seen) -> None:
    with ExitStack() as stack:
        is_alone = connection.in_atomic_block  # nobody else sees what is written
        place = None if is_alone else stack.enter_context(placing_beside(report))
        for outcome in outcomes:
            taken = take(job, outcome.rows)
            _count(report, outcome, taken)
            if place and taken.arriving:
                place(taken.arriving)
            seen("residents", outcome.last_line)


def _layout(table: Table, records: Iterator[Record]) -> Layout:
    header = next(records, None)
    if header is None:
        raise TableUnreadable(f"{table.path} is empty.")
    return read_header(next(csv.reader([header.text])))


def _count(report: Report, outcome: Outcome, taken: Taken) -> None:
    report.added += len(taken.added)
    report.updated += len(taken.updated)
    report.unchanged += len(taken.unchanged)
    report.reject(sorted([*outcome.defects, *taken.defects]))


@contextmanager
def _rejects(path: Path) -> Iterator[Callable[[Defect], object]]:
    """Writes defects to a new file that only its owner reads. Raises FileExists."""
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise FileExists(f"{path} is there already: move it away or name another file.") from None
    with os.fdopen(number, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(Defect._fields)
        yield writer.writerow


@contextmanager
def _undone() -> Iterator[None]:
    """Do all of it, constraints that wait for the end included, and undo it."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        yield
        transaction.set_rollback(True)


def _record(job: Job, report: Report) -> None:
    counts = {name: getattr(report, name) for name in ("added", "updated", "unchanged", "homes", "rejected", "warned")}
    subject = subject_of(job.municipality)
    record_event(at=job.at, actor=job.actor, action="register.import", subject=subject, detail=counts)


def subject_of(municipality: str) -> str:
    """Whose register is imported, as the trail names it."""
    return f"municipality:{municipality}" if municipality else "residents"


@transaction.atomic
def register(
    rows: Sequence[Mapping[str, str]], *, municipality: str = "", as_of: date, at: datetime, actor: str
) -> list[UUID | Defect]:
    """Enter residents by hand: rows as a table would have them, column by column, taken in one transaction.

    Returns whose each row is, or what is wrong with it, a second head say; a defect's line is the row's place, from 1
    on. Raises TableUnreadable, MunicipalityMalformed, VaultKeysMissing, VaultKeysOutdated.
    """
    job = _job(municipality, as_of, at, actor)
    report, refs, defects = Report(), dict[int, UUID](), dict[int, Defect]()
    report.written = lambda defect: defect.code == NO_HEAD or defects.setdefault(defect.line, defect)
    read = [_by_hand(fields, line) for line, fields in enumerate(rows, start=1)]
    with staging():
        for start in range(0, len(read), CHUNK):
            outcome = Outcome([], [])
            for layout, row in read[start : start + CHUNK]:
                if isinstance(row, Defect):
                    outcome.defects.append(row)
                else:
                    outcome.rows.append(prepared_row(Reading(layout, job.keys, municipality), *row, ahead=False))
            taken = take(job, outcome.rows)
            refs |= taken.added | taken.updated | taken.unchanged
            _count(report, outcome, taken)
        settle_households(job, report)
    _record(job, report)
    return [defects.get(line) or refs[line] for line in range(1, len(read) + 1)]


def _by_hand(fields: Mapping[str, str], line: int) -> tuple[Layout, tuple[Row, Said] | Defect]:
    layout = read_header(list(fields))
    return layout, read_row(layout, list(fields.values()), line)

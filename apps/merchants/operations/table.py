"""Enrolling terminals from a table: a CSV file, its bad rows reported and its good ones kept."""

import csv
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

from django.db import transaction

from apps.kernel.errors import KanpuError
from apps.merchants.enrolment import Defect, NewTerminal, read_terminal
from apps.merchants.operations.terminals import Enrolled, Enrolling, enrol_terminals, words

ROWS_AT_ONCE: Final = 1000
REQUIRED: Final = {"code", "store"}
CODES_HEADER: Final = ("code", "enrolment_code", "expires_at")


class TableUnreadable(KanpuError):
    """The file is no table of terminals."""

    code = "table_unreadable"


class FileExists(KanpuError):
    """A file with codes is never written over another: codes in that may be in use."""

    code = "file_exists"


@dataclass(slots=True)
class TableReport:
    """What became of a table's rows; `rejected` says line and reason."""

    enrolled: int = 0
    exists: int = 0
    rejected: list[str] = field(default_factory=list)


class Row(NamedTuple):
    """A row and the line of the file on which it ends."""

    line: int
    terminal: NewTerminal | Defect


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV file to enrol from, and the new file for one-time codes, if they are wanted."""

    path: Path
    codes_out: Path | None = None
    dry_run: bool = False


def enrol_table(
    enrolling: Enrolling, table: Table, *, at: datetime, actor: str, seen: Callable[[int], None]
) -> TableReport:
    """Enrol the rows of a table, a thousand a transaction; the same file again changes nothing.

    `seen` hears after how many rows. With `dry_run`, all is done and undone again. Terminals without a key get one-time
    codes only if there is a file for them. Raises TableUnreadable and FileExists.
    """
    report = TableReport()
    enrolling = replace(enrolling, with_codes=table.codes_out is not None)
    with ExitStack() as stack:
        file = stack.enter_context(table.path.open(encoding="utf-8-sig", newline=""))
        codes = None
        if table.codes_out and not table.dry_run:
            codes = csv.writer(stack.enter_context(_new_private_file(table.codes_out)))
            codes.writerow(CODES_HEADER)
        if table.dry_run:
            stack.enter_context(transaction.atomic())
        rows = _rows(file)
        while some := list(islice(rows, ROWS_AT_ONCE)):
            results = enrol_terminals(enrolling, [row.terminal for row in some], at=at, actor=actor)
            _add(report, some, results)
            if codes:
                codes.writerows((r.code, r.issued[0], r.issued[1].isoformat()) for r in results if r.issued)
            seen(some[-1].line)
        if table.dry_run:
            transaction.set_rollback(True)
    return report


def _add(report: TableReport, rows: list[Row], results: list[Enrolled]) -> None:
    report.enrolled += sum(result.status == "enrolled" for result in results)
    report.exists += sum(result.status == "exists" for result in results)
    for row, result in zip(rows, results, strict=True):
        if result.defect:
            column = f" ({result.defect.param})" if result.defect.param else ""
            report.rejected.append(f"line {row.line}{column}: {words(result.defect)}")


def _rows(file: Any) -> Iterator[Row]:
    """The table's rows. Raises TableUnreadable."""
    try:
        reader = csv.DictReader(file, strict=True)
        missing = REQUIRED - set(reader.fieldnames or ())
        if missing:
            raise TableUnreadable(f"The file's first line lacks the columns {', '.join(sorted(missing))}.")
        for fields in reader:
            yield Row(reader.line_num, _terminal(fields))
    except (UnicodeDecodeError, csv.Error) as error:
        raise TableUnreadable(f"The file is not CSV in UTF-8: {error}. Save it as such and run it again.") from error


def _terminal(fields: dict[str | Any, str | Any]) -> NewTerminal | Defect:
    if None in fields:
        return Defect("terminal_invalid", reason="the row has more columns than the first line")
    return read_terminal({name: text.strip() for name, text in fields.items() if text and text.strip()})


def _new_private_file(path: Path) -> Any:
    """A new file, open for writing, that only its owner may read."""
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", newline="")
    except FileExistsError as error:
        raise FileExists(f"{path} exists, and codes in it may be in use. Give another name.") from error

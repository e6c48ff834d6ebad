"""A register's table that a clerk sends through a page: small, held in memory, taken whole or tried only."""

import csv
import io
from datetime import date, datetime
from typing import Final, NamedTuple
from uuid import UUID

from django.db import connection, transaction

from apps.audit.operations import record_event
from apps.residents.operations.importing.files import register, subject_of
from apps.residents.register.rows import Defect, TableUnreadable, read_header

ENCODINGS: Final = ("utf-8-sig", "cp932")


class Uploaded(NamedTuple):
    """How many rows are right, and what is wrong with the others, by the lines of the file."""

    right: int
    defects: list[Defect]


def register_upload(
    content: bytes, *, municipality: str, as_of: date, dry_run: bool, at: datetime, actor: str
) -> Uploaded:
    """Bring the register up to what a table says, as of a day; rows that are wrong cost no other.

    With `dry_run` all is done and undone again, so that its defects are those of the real thing; that somebody tried
    stays on the trail, for a try tells whose numbers are known. Raises TableUnreadable, VaultKeysMissing,
    VaultKeysOutdated.
    """
    header, rows = _table(content)
    wide = [(line, fields) for line, fields in rows if len(fields) == len(header)]
    found = [_too_wide(line, len(header)) for line, fields in rows if len(fields) != len(header)]
    with transaction.atomic():
        if dry_run:
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        mappings = [dict(zip(header, fields, strict=True)) for _, fields in wide]
        taken = register(mappings, municipality=municipality, as_of=as_of, at=at, actor=actor)
        transaction.set_rollback(dry_run)
    found += [
        result._replace(line=line) for (line, _), result in zip(wide, taken, strict=True) if isinstance(result, Defect)
    ]
    right = sum(isinstance(result, UUID) for result in taken)
    if dry_run:
        subject, detail = subject_of(municipality), {"right": right, "wrong": len(found)}
        record_event(at=at, actor=actor, action="register.try", subject=subject, detail=detail)
    return Uploaded(right, sorted(found))


def _table(content: bytes) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The first line, and the others that are not empty, each with where it starts in the file."""
    reader = csv.reader(io.StringIO(_text(content), newline=""))
    rows, line = [], 1
    try:
        for fields in reader:
            rows.append((line, fields))
            line = reader.line_num + 1
    except csv.Error as error:
        raise TableUnreadable(f"The file is no CSV from line {line} on: {error}.") from error
    rows = [row for row in rows if any(field.strip() for field in row[1])]
    if not rows:
        raise TableUnreadable("The file is empty.")
    header = rows[0][1]
    read_header(header)
    return header, rows[1:]


def _text(content: bytes) -> str:
    for encoding in ENCODINGS:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise TableUnreadable("The file is neither UTF-8 nor CP932 throughout. Export it again as CSV in UTF-8.")


def _too_wide(line: int, width: int) -> Defect:
    reason = f"the row has not the {width} columns of the first line: look for a comma or quote too many"
    return Defect(line, "", "row_width", reason)

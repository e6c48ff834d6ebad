"""Importing consumption-tax returns from a file: good rows are kept, bad ones named, nothing is overwritten."""

import csv
import hashlib
import io
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final, NamedTuple

from django.db import transaction

from apps.audit.operations import record_event
from apps.inspections.declared import REQUIRED, Return, RowDefect, looks_mistyped, rate_columns, read_return
from apps.inspections.models import Declaration
from apps.kernel.errors import KanpuError
from apps.merchants.models import Merchant, Mode

ENCODINGS: Final = ("utf-8-sig", "cp932")
AT_ONCE: Final = 1000
Row = tuple[int, Return | RowDefect]
Periods = dict[tuple[date, date], Declaration]


class ReturnsUnreadable(KanpuError):
    """The file is no table of returns."""

    code = "returns_unreadable"


class LineDefect(NamedTuple):
    """What is wrong with a line of the file."""

    line: int
    column: str
    code: str


@dataclass(slots=True)
class Imported:
    """What became of the rows: first returns of a period, newer versions, those known already, and bad rows."""

    new: int = 0
    replaced: int = 0
    unchanged: int = 0
    defects: list[LineDefect] = field(default_factory=list)


def import_declarations(content: bytes, *, dry_run: bool = False, at: datetime, actor: str) -> Imported:
    """Keep the returns of a file in one transaction; with `dry_run` all is done and undone again.

    Raises ReturnsUnreadable.
    """
    rows = _rows(content)
    sha256 = hashlib.sha256(content).digest()
    done = Imported()
    with transaction.atomic():
        for some in (rows[start : start + AT_ONCE] for start in range(0, len(rows), AT_ONCE)):
            _import_some(some, done, Provenance(sha256, at, actor))
        if dry_run:
            transaction.set_rollback(True)
        else:
            record_event(
                at=at, actor=actor, action="declarations.import", subject=f"file:{sha256.hex()}",
                detail={"new": done.new, "replaced": done.replaced, "unchanged": done.unchanged,
                        "defects": len(done.defects)},
            )  # fmt: skip
    return done


class Provenance(NamedTuple):
    """Where returns come from."""

    sha256: bytes
    at: datetime
    actor: str


def _rows(content: bytes) -> list[Row]:
    """The rows with the lines on which they end. Raises ReturnsUnreadable."""
    try:
        reader = csv.DictReader(io.StringIO(_text(content), newline=""), strict=True)
        columns = list(reader.fieldnames or ())
        rates = rate_columns(columns)
        missing = [name for name in REQUIRED if name not in columns] + ([] if rates else ["sales_at_10"])
        if missing or len(set(rates.values())) < len(rates):
            raise ReturnsUnreadable(
                f"The first line lacks {', '.join(missing)}, or names a rate twice. It is: registration_number, from,"
                " to, and a column for each rate, such as sales_at_8 and sales_at_10."
            )
        return [(reader.line_num, _row(fields, rates)) for fields in reader]
    except csv.Error as error:
        raise ReturnsUnreadable(f"The file is not CSV: {error}.") from error


def _row(fields: dict[str, str], rates: dict[str, str]) -> Return | RowDefect:
    if None in fields or None in fields.values():
        return RowDefect("row_width", "")
    return read_return(fields, rates)


def _text(content: bytes) -> str:
    for encoding in ENCODINGS:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise ReturnsUnreadable("The file is neither UTF-8 nor CP932. Save it as one of these.")


def _import_some(rows: list[Row], done: Imported, origin: Provenance) -> None:
    merchants = _merchants({row.registration_number for _, row in rows if isinstance(row, Return)})
    latest = _latest({pk for pks in merchants.values() for pk in pks})
    fresh = []
    for line, row in rows:
        if isinstance(row, Return) and (defect := _defect(row, merchants)):
            row = defect  # noqa: PLW2901 - from here on it is one
        if isinstance(row, RowDefect):
            done.defects.append(LineDefect(line, row.column, row.code))
            continue
        merchant_id = merchants[row.registration_number][0]
        periods = latest.setdefault(merchant_id, {})
        period = (row.from_date, row.to_date)
        if version := _next_version(row, periods, line, done):
            periods[period] = Declaration(
                merchant_id=merchant_id, from_date=row.from_date, to_date=row.to_date, version=version,
                sales=row.sales, file_sha256=origin.sha256, line=line, imported_at=origin.at,
                imported_by=origin.actor,
            )  # fmt: skip
            fresh.append(periods[period])
    Declaration.objects.bulk_create(fresh)


def _merchants(numbers: set[str]) -> dict[str, list[int]]:
    """The live merchants of these registration numbers, locked, so that one file comes after another: one query."""
    found: dict[str, list[int]] = {}
    rows = Merchant.objects.filter(registration_number__in=numbers, mode=Mode.LIVE).order_by("pk")
    for pk, number in rows.select_for_update().values_list("pk", "registration_number"):
        found.setdefault(number, []).append(pk)
    return found


def _next_version(row: Return, periods: Periods, line: int, done: Imported) -> int | None:
    """The version that a row makes, or None where it says nothing new or cannot stand beside another period."""
    before = periods.get((row.from_date, row.to_date))
    if before is None and any(first <= row.to_date and row.from_date <= last for first, last in periods):
        done.defects.append(LineDefect(line, "from", "period_overlaps"))
        return None
    if before is None:
        done.new += 1
        return 1
    if before.sales == row.sales:
        done.unchanged += 1
        return None
    done.replaced += 1
    return before.version + 1


def _latest(merchant_ids: set[int]) -> dict[int, Periods]:
    """The newest version of each period of these merchants: one query."""
    found: dict[int, Periods] = {}
    for declaration in Declaration.objects.filter(merchant_id__in=merchant_ids).order_by("version"):
        periods = found.setdefault(declaration.merchant_id, {})
        periods[declaration.from_date, declaration.to_date] = declaration
    return found


def _defect(row: Return, merchants: dict[str, list[int]]) -> RowDefect | None:
    known = merchants.get(row.registration_number, [])
    if len(known) == 1:
        return None
    if known:
        return RowDefect("merchant_ambiguous", "registration_number")
    mistyped = looks_mistyped(row.registration_number)
    return RowDefect("check_digit_wrong" if mistyped else "merchant_unknown", "registration_number")

"""Tables written to a file as their rows come, none of which is kept: CSV, xlsx and Parquet, and the ZIP around one."""

import csv
import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import duckdb
import xlsxwriter  # type: ignore[import-untyped]

from apps.inspections.columns import Column

FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r")
BOM: Final = "\ufeff"  # by it Excel knows UTF-8
SHEET_ROWS: Final = 1_048_576  # of Excel's, the header's included
ONE_DATE: Final = (1980, 1, 1, 0, 0, 0)  # the same data makes the same bytes
CHUNK_BYTES: Final = 1 << 20
WIDTH: Final = 18
# DuckDB holds a whole group of rows, 122,880 unless told, and several pieces of what it reads, 32 MB each: with small
# ones a million rows take no more memory than a tenth of them.
COPY: Final = """
COPY (SELECT * FROM read_csv(?, auto_detect = false, header = false, columns = {columns}, nullstr = '', delim = ',',
                             quote = '"', escape = '"', buffer_size = 1048576, max_line_size = 524288))
TO '{path}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 10240)
"""


class Table(Protocol):
    """A file that rows are written to, and then closed."""

    path: Path

    def write(self, rows: Iterable[Sequence[Any]]) -> None:
        """Add rows."""

    def close(self) -> None:
        """Be done."""


class CsvTable:
    """UTF-8 for spreadsheets: what would be taken for a formula begins with an apostrophe."""

    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        self.path = path
        self._file = path.open("w", encoding="utf-8", newline="")
        self._file.write(BOM)
        self._csv = csv.writer(self._file)
        self._csv.writerow([column.name for column in columns])

    def write(self, rows: Iterable[Sequence[Any]]) -> None:
        """Add rows."""
        self._csv.writerows([_no_formula(cell) for cell in row] for row in rows)

    def close(self) -> None:
        """Be done."""
        self._file.close()


class XlsxTable:
    """A sheet, and another before the limit of rows; text is text, whatever it begins with."""

    def __init__(self, path: Path, columns: Sequence[Column], *, sheet_rows: int = SHEET_ROWS) -> None:
        self.path, self._columns, self._sheet_rows = path, columns, sheet_rows
        self._book = xlsxwriter.Workbook(path, {"constant_memory": True, "tmpdir": str(path.parent)})
        self._next_sheet()

    def _next_sheet(self) -> None:
        self._sheet, self._row = self._book.add_worksheet(), 1
        self._sheet.freeze_panes(1, 0)
        self._sheet.set_column(0, len(self._columns) - 1, WIDTH)
        for place, column in enumerate(self._columns):
            self._sheet.write_string(0, place, column.name)

    def write(self, rows: Iterable[Sequence[Any]]) -> None:
        """Add rows."""
        for row in rows:
            if self._row == self._sheet_rows:
                self._next_sheet()
            for place, cell in enumerate(row):
                if isinstance(cell, int):
                    self._sheet.write_number(self._row, place, cell)
                elif cell:
                    self._sheet.write_string(self._row, place, cell)
            self._row += 1

    def close(self) -> None:
        """Be done."""
        self._book.close()


class ParquetTable:
    """Columns by DuckDB, from rows that lie in a file beside until then."""

    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        self.path, self._columns = path, columns
        self._raw = path.with_suffix(".rows")
        self._file = self._raw.open("w", encoding="utf-8", newline="")
        self._csv = csv.writer(self._file, quoting=csv.QUOTE_MINIMAL)

    def write(self, rows: Iterable[Sequence[Any]]) -> None:
        """Add rows."""
        self._csv.writerows(rows)

    def close(self) -> None:
        """Be done."""
        self._file.close()
        columns = ", ".join(f"'{column.name}': '{column.type}'" for column in self._columns)
        with duckdb.connect(config={"memory_limit": "256MB", "threads": 1}) as duck:
            statement = COPY.replace("{columns}", f"{{{columns}}}").replace("{path}", str(self.path).replace("'", "''"))
            duck.execute(statement, [str(self._raw)])
        self._raw.unlink()


TABLES: Final[dict[str, type[CsvTable | XlsxTable | ParquetTable]]] = {
    "csv": CsvTable,
    "xlsx": XlsxTable,
    "parquet": ParquetTable,
}


def _no_formula(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULAS) else cell


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def zip_table(path: Path, table: Path, manifest: dict[str, Any]) -> None:
    """A ZIP of a table and of what is to be known of it, manifest.json."""
    with ZipFile(path, "w", ZIP_DEFLATED, compresslevel=1) as file:
        file.writestr(ZipInfo("manifest.json", ONE_DATE), json.dumps(manifest, ensure_ascii=False, indent=2) + "\n")
        info = ZipInfo(table.name, ONE_DATE)
        info.compress_type = ZIP_DEFLATED
        with table.open("rb") as source, file.open(info, "w", force_zip64=True) as target:
            while piece := source.read(CHUNK_BYTES):
                target.write(piece)

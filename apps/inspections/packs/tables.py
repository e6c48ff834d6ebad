"""A pack's tables: rows as CSV or as JSON Lines, counted and added up as they pass."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

CHUNK_BYTES: Final = 64 * 1024


@dataclass(slots=True)
class Table:
    """Rows of `columns`, in an order that is always the same. `summed` are the columns with a control total.

    `records` and `sums` are filled as the rows pass.
    """

    name: str
    columns: Sequence[str]
    rows: Iterable[Sequence[Any]]
    summed: Sequence[str] = ()
    form: Literal["csv", "jsonl"] = "csv"
    records: int = 0
    sums: dict[str, int] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """Its place in the pack."""
        return f"{self.name}.{self.form}"

    def chunks(self) -> Iterator[bytes]:
        """The table's bytes, some at a time."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if self.form == "csv":
            writer.writerow(self.columns)
        for row in self._counted():
            if self.form == "csv":
                writer.writerow("" if value is None else value for value in row)
            else:
                text.write(f"{canonical(dict(zip(self.columns, row, strict=True)))}\n")
            if text.tell() >= CHUNK_BYTES:
                yield _flushed(text)
        yield _flushed(text)

    def _counted(self) -> Iterator[Sequence[Any]]:
        places = [(name, self.columns.index(name)) for name in self.summed]
        self.records, self.sums = 0, dict.fromkeys(self.summed, 0)
        for row in self.rows:
            self.records += 1
            for name, place in places:
                self.sums[name] += row[place] or 0
            yield row


def canonical(value: Mapping[str, Any]) -> str:
    """An object as JSON on one line, its names in order."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def document(value: Mapping[str, Any]) -> bytes:
    """An object as a file to read: JSON with its names in order."""
    return f"{json.dumps(value, sort_keys=True, ensure_ascii=False, indent=1)}\n".encode()


def _flushed(text: io.StringIO) -> bytes:
    data = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return data

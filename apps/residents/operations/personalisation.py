"""The personalisation file: what the chips of new cards need. It is complete under its name, or not there.

While it is written it is called `NAME.part`. A batch's rows are on the disk before its cards are committed, so that no
card's key is lost; whoever takes the work up again keeps the rows of cards that were committed and no others.
"""

import csv
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from apps.residents.operations.secret_files import FileExists, synced_folder, write_once

COLUMNS: Final = ("resident_ref", "resident_code", "card_id", "card_key", "valid_from", "valid_until")
HEADER: Final = ",".join(COLUMNS) + "\r\n"
ROWS_AT_A_TIME: Final = 5_000
Committed = Callable[[Sequence[bytes]], set[bytes]]  # which of these card numbers are those of cards


class Row(NamedTuple):
    """A card: in hex what its chip is given, and its first day and the first on which it is not valid any more."""

    resident_ref: str
    resident_code: str
    card_id: str
    card_key: str
    valid_from: str
    valid_until: str


class PersonalisationFile:
    """The file at `path`, not complete yet. `kept` is how many cards an earlier run, that did not end, left in it."""

    def __init__(self, path: Path, committed: Committed) -> None:
        """Begin, or go on with what was left. Raises FileExists."""
        self.path, self.part = path, path.with_name(path.name + ".part")
        self._check_free()
        self._committed = committed
        self.kept = self.keep_committed()

    def keep_committed(self) -> int:
        """Drop the rows of cards that were not committed. Returns how many are left."""
        text = self.part.with_name(self.part.name + ".new")
        text.unlink(missing_ok=True)
        write_once(text, HEADER)
        kept = 0
        if self.part.exists():
            with self.part.open(newline="") as old, text.open("a", newline="") as new:
                for rows in _chunks(_whole_rows(csv.reader(old))):
                    ids = self._committed([bytes.fromhex(row.card_id) for row in rows])
                    good = [row for row in rows if bytes.fromhex(row.card_id) in ids]
                    csv.writer(new).writerows(good)
                    kept += len(good)
                _sync(new.fileno(), new.flush)
        text.replace(self.part)
        synced_folder(self.part)
        return kept

    def add(self, rows: Iterable[Row]) -> None:
        """Put rows on the disk: just before their cards are committed."""
        with self.part.open("a", newline="") as file:
            csv.writer(file).writerows(rows)
            _sync(file.fileno(), file.flush)

    def finish(self) -> None:
        """Give the complete file its name. Raises FileExists."""
        self._check_free()
        self.part.rename(self.path)
        synced_folder(self.path)

    def _check_free(self) -> None:
        if self.path.exists():
            raise FileExists(f"{self.path} is there already and holds secrets: move it away or name another file.")


def _sync(descriptor: int, flush: Callable[[], None]) -> None:
    flush()
    os.fsync(descriptor)


def _whole_rows(lines: Iterator[list[str]]) -> Iterator[Row]:
    """Rows without the header and without one that was cut off, which is of no card that was committed."""
    for line in lines:
        if len(line) == len(COLUMNS) and len(line[2]) == 32 and line[2] != COLUMNS[2]:
            yield Row(*line)


def _chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while chunk := list(islice(rows, ROWS_AT_A_TIME)):
        yield chunk

"""Reading transfer files and result files, as they come: what can be taken is, the rest is said with line and reason.

Pure, and one record at a time. Records end with CRLF, LF or nothing, whatever the options of the bank say.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Final, NamedTuple

from apps.payouts.zengin.layout import RECORD_BYTES, RecordUnreadable, parse

LONGEST_LINE: Final = 4 * RECORD_BYTES  # of a line that is no record; what comes after is another line
END_OF_FILE: Final = b"\x1a"


class Problem(NamedTuple):
    """What cannot be taken of a file: the line (from 1; 0 is the file as a whole), a stable code, and why."""

    line: int
    code: str
    why: str


class Record(NamedTuple):
    """A record that was read: its line, its kind (see `layout.KINDS`) and its fields."""

    line: int
    kind: str
    values: dict[str, str]

    @property
    def reference(self) -> str:
        """Our reference, which stands in the two customer codes."""
        return self.values["customer_code_1"] + self.values["customer_code_2"]


@dataclass(slots=True)
class _Seen:
    """How far a file is, to find out whether it is whole."""

    header: bool = False
    trailer: bool = False
    end: bool = False
    count: int = 0
    sum_yen: int = 0


def read_file(file: IO[bytes]) -> Iterator[Record | Problem]:
    """The header and the data of a file, and what is wrong with it, in the file's order.

    A trailer that does not add up, and one that is missing, are told when the file is at its end: the data before it
    was given out.
    """
    seen = _Seen()
    for line, raw in enumerate(_raw_records(file), start=1):
        try:
            kind, values = parse(raw)
        except RecordUnreadable as error:
            yield Problem(line, error.code, str(error))
            continue
        if wrong := _out_of_place(kind, seen):
            yield Problem(line, "out_of_place", wrong)
        elif kind in "12":
            _count(kind, values, seen)
            yield Record(line, kind, values)
        else:
            yield from _closed(line, kind, values, seen)
    yield from _missing(seen)


def _out_of_place(kind: str, seen: _Seen) -> str:
    if seen.end:
        return "The file has ended before."
    if kind == "1":
        return "There is a header already." if seen.header else ""
    if not seen.header:
        return "There is no header before."
    if kind == "9":
        return "" if seen.trailer else "There is no trailer before."
    return "The trailer came before." if seen.trailer else ""


def _count(kind: str, values: dict[str, str], seen: _Seen) -> None:
    if kind == "1":
        seen.header = True
    else:
        seen.count += 1
        seen.sum_yen += int(values["amount"])


def _closed(line: int, kind: str, values: dict[str, str], seen: _Seen) -> Iterator[Problem]:
    if kind == "9":
        seen.end = True
        return
    seen.trailer = True
    said, found = (int(values["count"]), int(values["sum"])), (seen.count, seen.sum_yen)
    if said != found:
        why = f"The trailer says {said[0]} for {said[1]}, there are {found[0]} for {found[1]}."
        yield Problem(line, "does_not_add_up", why)


def _missing(seen: _Seen) -> Iterator[Problem]:
    lacking = [name for name in ("header", "trailer", "end") if not getattr(seen, name)]
    if lacking:
        yield Problem(0, "cut", f"The file lacks its {' and '.join(lacking)}: it was cut, or is no such file.")


def _raw_records(file: IO[bytes]) -> Iterator[bytes]:
    """The bytes of each record: by lines, or each 120 bytes where the first record has no line's end after it."""
    first = file.read(RECORD_BYTES + 1)
    file.seek(0)
    has_lines = b"\n" in first or first[RECORD_BYTES:] == b"\r" or len(first) < RECORD_BYTES
    return _by_lines(file) if has_lines else _by_length(file)


def _by_lines(file: IO[bytes]) -> Iterator[bytes]:
    while line := file.readline(LONGEST_LINE):
        record = line.rstrip(b"\r\n").removesuffix(END_OF_FILE)
        if record or line.strip(b"\r\n") != END_OF_FILE:
            yield record


def _by_length(file: IO[bytes]) -> Iterator[bytes]:
    while raw := file.read(RECORD_BYTES):
        record = raw.rstrip(b"\r\n" + END_OF_FILE) if len(raw) < RECORD_BYTES else raw
        if record:
            yield record

"""A table's file: in which encoding it is, and its lines. Read twice, a block at a time, whatever its size."""

import codecs
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from apps.residents.register.prepared import Record
from apps.residents.register.rows import TableUnreadable

BLOCK_BYTES: Final = 1 << 20
BROKEN_LINES: Final = 20  # a quoted text has fewer line breaks
JAPANESE: Final = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
SURE: Final = 8  # so many Japanese characters in a row of bytes are no accident


class Scanned(NamedTuple):
    """What a file is read as, and how many lines it has."""

    encoding: str
    lines: int


def scan(path: Path) -> Scanned:
    """Whether a file is UTF-8 (with or without its mark) or CP932. Raises TableUnreadable.

    All of it is decoded strictly. UTF-8 goes first: Japanese in CP932 is hardly ever UTF-8 by accident. A file of which
    a good part is Japanese in UTF-8 and that fails then is damaged UTF-8, even if it can be read as CP932 (which turns
    it into nonsense): its damaged rows are reported one by one. So are those of a file that is neither.
    """
    try:
        with path.open("rb") as file:
            start = file.read(4)
            if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                raise TableUnreadable(f"{path} is in UTF-16 (Unicode). Save it as CSV in UTF-8.")
            lines = 1 + sum(block.count(b"\n") for block in _blocks(path))
    except OSError as error:
        raise TableUnreadable(f"{path} cannot be read: {error.strerror}.") from error
    utf_8, seen = _decodes(path, "utf-8-sig")
    if utf_8 or start.startswith(codecs.BOM_UTF8) or seen >= SURE:
        return Scanned("utf-8-sig", lines)
    return Scanned("cp932", lines)


def _decodes(path: Path, encoding: str) -> tuple[bool, int]:
    """Whether all of a file decodes; up to where it does not, how many Japanese characters there are (or enough)."""
    decoder, seen = codecs.getincrementaldecoder(encoding)(), 0
    try:
        for block in _blocks(path):
            text = decoder.decode(block)
            seen += _japanese(text) if seen < SURE else 0
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        return False, seen + _japanese(error.object[: error.start].decode(encoding, "replace"))
    return True, seen


def _japanese(text: str) -> int:
    """How many Japanese characters there are, or enough."""
    return sum(1 for _ in islice(JAPANESE.finditer(text), SURE))


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            yield block


def read_records(lines: Iterable[str]) -> Iterator[Record]:
    """The records of a file's lines, header included. A quoted text may go over some lines; empty lines are none."""
    held: list[str] = []
    first, is_open = 1, False
    for number, line in enumerate(lines, start=1):
        if not held:
            first = number
        held.append(line)
        is_open ^= line.count('"') % 2 == 1
        if is_open and len(held) < BROKEN_LINES:
            continue
        if is_open:  # a quote too many in the first of them, so the others stand by themselves
            yield from _apart(held, first)
        elif (text := "".join(held)).strip():
            yield Record(first, text)
        held, is_open = [], False
    if held:
        yield from _apart(held, first)


def _apart(lines: list[str], first: int) -> Iterator[Record]:
    yield from (Record(first + n, line) for n, line in enumerate(lines) if line.strip())

"""A ZIP file as it is made: nothing of it is kept longer than until it is sent. Pure."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from tempfile import SpooledTemporaryFile
from typing import Any, Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

CHUNK_BYTES: Final = 64 * 1024
BOM: Final = "\ufeff"  # by it Excel knows UTF-8
FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r")
ONE_DATE: Final = (1980, 1, 1, 0, 0, 0)  # the same data makes the same bytes

File = tuple[str, Iterable[bytes]]


class _Sent(io.RawIOBase):
    """What was written and not taken yet; it cannot go back."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(self._parts[-1])

    def taken(self) -> bytes:
        """What was written since the last time."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


def zipped(files: Iterable[File]) -> Iterator[bytes]:
    """The bytes of a ZIP of these files, each read when its turn comes."""
    sent = _Sent()
    with ZipFile(sent, "w", ZIP_DEFLATED) as archive:
        for name, chunks in files:
            info = ZipInfo(name, ONE_DATE)
            info.compress_type = ZIP_DEFLATED
            with archive.open(info, "w", force_zip64=True) as member:
                for chunk in chunks:
                    member.write(chunk)
                    if data := sent.taken():
                        yield data
    yield sent.taken()


def as_both(name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], counts: dict[str, int]) -> Iterator[File]:
    """A table as CSV and as JSON, in one pass over its rows; `counts` gets how many there were."""
    with SpooledTemporaryFile(max_size=1024 * 1024) as as_json:
        yield f"{name}.csv", _csv(name, columns, rows, counts, as_json)
        as_json.seek(0)
        yield f"{name}.json", iter(lambda: as_json.read(CHUNK_BYTES), b"")


def _csv(
    name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], counts: dict[str, int], as_json: Any
) -> Iterator[bytes]:
    text = io.StringIO()
    writer = csv.writer(text)
    text.write(BOM)
    writer.writerow(columns)
    counts[name] = 0
    as_json.write(b"[")
    for row in rows:
        as_json.write(b",\n" if counts[name] else b"\n")
        as_json.write(json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False).encode())
        writer.writerow([cell(value) for value in row])
        counts[name] += 1
        if text.tell() >= CHUNK_BYTES:
            yield _flushed(text)
    as_json.write(b"\n]\n")
    yield _flushed(text)


def _flushed(text: io.StringIO) -> bytes:
    data = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return data


def cell(value: Any) -> str:
    """A value in a table: lists and particulars as JSON; a text that a spreadsheet would compute gets a ' before it."""
    if value is None:
        return ""
    if isinstance(value, list | Mapping):
        return json.dumps(value, ensure_ascii=False)
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULAS) else str(value)

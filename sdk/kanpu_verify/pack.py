"""An evidence pack as its file says: its manifest, its documents, its tables. Nothing is checked but the shape."""

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BufferedReader, RawIOBase, TextIOWrapper
from typing import Any, BinaryIO, Final

from kanpu_verify.frame import Member, chunks, members
from kanpu_verify.statement import Unusable, once_each

FORMAT: Final = "kanpu evidence pack v1"
MANIFEST: Final = "manifest.json"
MANIFEST_HASH: Final = f"{MANIFEST}.sha256"
LARGEST_DOCUMENT: Final = 64 * 1024 * 1024
Row = Mapping[str, Any]


@dataclass(slots=True)
class Pack:
    """A pack that is open for reading. `kind` is run, refund or case."""

    file: BinaryIO
    members: Mapping[str, Member]
    order: tuple[str, ...]
    manifest: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """What it is a pack of."""
        return str(self.manifest.get("kind", ""))

    def data(self, name: str) -> bytes:
        """A document's bytes. Raises Unusable when it is not there."""
        member = self.members.get(name)
        if member is None or member.bytes > LARGEST_DOCUMENT:
            raise Unusable(name, "there")
        return b"".join(chunks(self.file, member))

    def document(self, name: str) -> Any:
        """A document in JSON. Raises Unusable."""
        try:
            return json.loads(self.data(name).decode(), object_pairs_hook=once_each, parse_float=str)
        except (ValueError, RecursionError):
            raise Unusable(name, "json") from None

    def rows(self, name: str) -> Iterator[Row]:
        """A table's rows, one at a time: those of a CSV are texts. Raises Unusable."""
        member = self.members.get(name)
        if member is None:
            raise Unusable(name, "there")
        lines = TextIOWrapper(BufferedReader(_Part(chunks(self.file, member))), encoding="utf-8", newline="")
        try:
            yield from csv.DictReader(lines) if name.endswith(".csv") else map(_object, lines)
        except (ValueError, csv.Error, RecursionError):
            raise Unusable(name, "table") from None

    def sha256(self, name: str) -> str:
        """A file's SHA-256 in hex."""
        found = hashlib.sha256()
        for chunk in chunks(self.file, self.members[name]):
            found.update(chunk)
        return found.hexdigest()


def open_pack(file: BinaryIO) -> Pack:
    """Return the pack in a file, its manifest read. Raises FrameBroken and Unusable."""
    found = members(file)
    pack = Pack(file, {member.name: member for member in found}, tuple(member.name for member in found))
    manifest = pack.document(MANIFEST)
    if (
        not isinstance(manifest, dict)
        or manifest.get("format") != FORMAT
        or not isinstance(manifest.get("files"), list)
    ):
        raise Unusable(f"{MANIFEST}: format", "pack_format")
    pack.manifest = manifest
    return pack


def _object(line: str) -> Row:
    value = json.loads(line, object_pairs_hook=once_each, parse_float=str)
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 - a wrong file, as JSON's own errors are
    return value


class _Part(RawIOBase):
    """A member's chunks as a file to read, so that a table of any length is read line by line."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        super().__init__()
        self._parts = parts
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._left = self._left or next(self._parts, b"")
        taken, self._left = self._left[: len(buffer)], self._left[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)

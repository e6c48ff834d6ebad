"""A pack's frame: a ZIP of which every byte is decided by the names and the contents of its files.

Nothing is compressed, the date is 1980-01-01, and no field is left to choose. So whatever byte of the frame is another
is found, and the file that it stands before is named.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

LOCAL: Final = struct.Struct("<4s5H3I2H")
CENTRAL: Final = struct.Struct("<4s6H3I5H2I")
END: Final = struct.Struct("<4s4H2IH")
CHUNK_BYTES: Final = 1024 * 1024
DAY_ONE: Final = 0x21
VERSION: Final = 20
MADE_BY: Final = 3 << 8 | VERSION
READABLE: Final = 0o100644 << 16


class FrameBroken(Exception):
    """The frame is not that of a pack. `place` names the file that it stands before, as far as that can be read."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.place = place


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a pack: its content stands from `start` on; `crc32` as the frame says it."""

    name: str
    offset: int
    start: int
    bytes: int
    crc32: int


def members(file: BinaryIO) -> list[Member]:
    """Return the files of a pack in their order, after a look at every byte of the frame. Raises FrameBroken."""
    found: list[Member] = []
    file.seek(0, 2)
    end, at = file.tell(), 0
    while (head := _at(file, at, LOCAL.size))[:4] == b"PK\3\4" and len(head) == LOCAL.size:
        member = _member(file, at, head)
        if member.start + member.bytes > end:
            raise FrameBroken(member.name)
        found.append(member)
        at = member.start + member.bytes
    for name, expected in _list(found, at):
        if _at(file, at, len(expected)) != expected:
            raise FrameBroken(name)
        at += len(expected)
    if at != end or not found:
        raise FrameBroken("end of the pack")
    return found


def chunks(file: BinaryIO, member: Member) -> Iterator[bytes]:
    """Return a file's content, some at a time."""
    at, left = member.start, member.bytes
    while left:
        data = _at(file, at, min(left, CHUNK_BYTES))
        if not data:
            return
        yield data
        at, left = at + len(data), left - len(data)


def crc_of(file: BinaryIO, member: Member) -> int:
    """Return the CRC-32 of a file's content."""
    crc = 0
    for chunk in chunks(file, member):
        crc = zlib.crc32(chunk, crc)
    return crc


def _member(file: BinaryIO, at: int, head: bytes) -> Member:
    *_, crc, length, _, name_length, _ = LOCAL.unpack(head)
    name = _at(file, at + LOCAL.size, name_length)
    shown = name.decode("ascii", "backslashreplace")
    expected = LOCAL.pack(b"PK\3\4", VERSION, 0, 0, 0, DAY_ONE, crc, length, length, len(name), 0)
    if head != expected or not name.isascii():
        raise FrameBroken(shown)
    return Member(shown, at, at + LOCAL.size + len(name), length, crc)


def _list(found: list[Member], start: int) -> Iterator[tuple[str, bytes]]:
    """What stands after the files: a line for each, and the end."""
    length = 0
    for m in found:
        name = m.name.encode("ascii")
        line = CENTRAL.pack(
            b"PK\1\2", MADE_BY, VERSION, 0, 0, 0, DAY_ONE, m.crc32, m.bytes, m.bytes, len(name),
            0, 0, 0, 0, READABLE, m.offset,
        ) + name  # fmt: skip
        length += len(line)
        yield m.name, line
    yield "end of the pack", END.pack(b"PK\5\6", 0, 0, len(found) & 0xFFFF, len(found) & 0xFFFF, length, start, 0)


def _at(file: BinaryIO, at: int, length: int) -> bytes:
    file.seek(at)
    return file.read(length)

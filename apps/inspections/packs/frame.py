"""A ZIP whose bytes follow from its files alone: nothing compressed, one date, no field that a library may choose.

So a pack that is made again is the same, whatever made it, and a checker can say what each byte has to be.
"""

import hashlib
import struct
import zlib
from collections.abc import Iterable
from typing import BinaryIO, Final, NamedTuple

from apps.kernel.errors import KanpuError

LOCAL: Final = struct.Struct("<4s5H3I2H")
CENTRAL: Final = struct.Struct("<4s6H3I5H2I")
END: Final = struct.Struct("<4s4H2IH")
VERSION: Final = 20
MADE_BY: Final = 3 << 8 | VERSION
DAY_ONE: Final = 0x21  # 1980-01-01, the first that ZIP has
READABLE: Final = 0o100644 << 16
MOST_BYTES: Final = 2**32 - 1
MOST_FILES: Final = 2**16 - 1


class PackTooLarge(KanpuError):
    """A pack would be larger than a ZIP without extensions can be."""

    code = "pack_too_large"


class Member(NamedTuple):
    """A file in the pack: where it stands, how long it is, and its hashes."""

    name: str
    offset: int
    bytes: int
    crc32: int
    sha256: str


class Frame:
    """A pack being written to a file that can go back. Call `close` at the end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.members: list[Member] = []

    def add(self, name: str, chunks: Iterable[bytes]) -> Member:
        """Write a file as it comes, so that memory stays flat. `name` is ASCII. Raises PackTooLarge."""
        offset, length, crc, sha = self._file.tell(), 0, 0, hashlib.sha256()
        self._file.write(_local(name, 0, 0))
        for chunk in chunks:
            self._file.write(chunk)
            length, crc = length + len(chunk), zlib.crc32(chunk, crc)
            sha.update(chunk)
        end = self._file.tell()
        if end > MOST_BYTES or len(self.members) >= MOST_FILES:
            raise PackTooLarge("A pack has at most 4 GiB. Take packs of single refunds.")
        self._file.seek(offset)
        self._file.write(_local(name, length, crc))
        self._file.seek(end)
        member = Member(name, offset, length, crc, sha.hexdigest())
        self.members.append(member)
        return member

    def close(self) -> None:
        """Write the list of files that ends the pack."""
        start = self._file.tell()
        for member in self.members:
            name = member.name.encode("ascii")
            self._file.write(
                CENTRAL.pack(
                    b"PK\1\2", MADE_BY, VERSION, 0, 0, 0, DAY_ONE, member.crc32, member.bytes, member.bytes, len(name),
                    0, 0, 0, 0, READABLE, member.offset,
                )
                + name
            )  # fmt: skip
        count, length = len(self.members), self._file.tell() - start
        self._file.write(END.pack(b"PK\5\6", 0, 0, count, count, length, start, 0))


def _local(name: str, length: int, crc: int) -> bytes:
    data = name.encode("ascii")
    return LOCAL.pack(b"PK\3\4", VERSION, 0, 0, 0, DAY_ONE, crc, length, length, len(data), 0) + data

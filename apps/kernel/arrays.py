"""Arrays as PostgreSQL reads them, made in one go: psycopg writes a list item by item, at many times the cost. Pure."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from struct import pack


def numbers_array(numbers: Iterable[int]) -> str:
    """Whole numbers, as text."""
    return "{" + ",".join(map(str, numbers)) + "}"


def quoted_array(texts: Sequence[str]) -> str:
    """Texts without quotes or backslashes, as text."""
    return '{"' + '","'.join(texts) + '"}' if texts else "{}"


def uuids_array(uuids: Sequence[int]) -> str:
    """UUIDs, given as numbers, as text."""
    return "{" + ",".join([f"{uuid:032x}" for uuid in uuids]) + "}"


def bytes_array(values: Iterable[bytes]) -> str:
    """Byte strings, as text."""
    return "{" + ",".join([f'"\\\\x{value.hex()}"' for value in values]) + "}"


def text_array(texts: Sequence[str]) -> bytes:
    """Texts, in binary form."""
    items = [text.encode() for text in texts]
    return _head(25, len(items)) + b"".join([pack("!i", len(item)) + item for item in items])


def smallint_array(numbers: Sequence[int]) -> bytes:
    """Numbers of 16 bits, in binary form."""
    return _head(21, len(numbers)) + b"".join([pack("!ih", 2, number) for number in numbers])


def bigint_array(numbers: Sequence[int]) -> bytes:
    """Numbers of 64 bits, in binary form."""
    return _head(20, len(numbers)) + b"".join([pack("!iq", 8, number) for number in numbers])


@lru_cache(maxsize=256)
def _head(oid: int, length: int) -> bytes:
    """Dimensions, no NULLs, the items' type by its number in pg_type; how many, and the first one's index."""
    return pack("!5i", 1, 0, oid, length, 1) if length else pack("!3i", 0, 0, oid)

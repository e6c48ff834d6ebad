"""Arrays as PostgreSQL reads them, made in one go: psycopg writes a list item by item, at many times the cost. Pure."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from struct import pack
from typing import Final

EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)  # PostgreSQL's
MICROSECOND: Final = timedelta(microseconds=1)


def numbers_array(numbers: Iterable[int]) -> str:
    """Whole numbers, as text."""
    return "{" + ",".join(map(str, numbers)) + "}"


def numbers_or_null_array(numbers: Iterable[int | None]) -> str:
    """Whole numbers, as text; None is NULL."""
    return "{" + ",".join(["NULL" if number is None else str(number) for number in numbers]) + "}"


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


def bigint_array(numbers: Sequence[int]) -> bytes:
    """Numbers of 64 bits, in binary form."""
    return _head(20, len(numbers)) + b"".join([pack("!iq", 8, number) for number in numbers])


def times_array(times: Sequence[datetime]) -> bytes:
    """Times of a zone, in binary form: microseconds since 2000."""
    items = b"".join([pack("!iq", 8, (time - EPOCH) // MICROSECOND) for time in times])
    return _head(1184, len(times)) + items


@lru_cache(maxsize=256)
def _head(oid: int, length: int) -> bytes:
    """Dimensions, no NULLs, the items' type by its number in pg_type; how many, and the first one's index."""
    return pack("!5i", 1, 0, oid, length, 1) if length else pack("!3i", 0, 0, oid)

"""What cases name their subjects and evidence by: `purchase:12/345`, `terminal:12`, `run:2017/1`. Pure."""

import re
import unicodedata
from typing import Final
from uuid import UUID

from apps.kernel.errors import KanpuError

LARGEST: Final = 2**31 - 1
NUMBER: Final = re.compile(r"\d{1,10}", re.ASCII)
TWO_NUMBERS: Final = re.compile(r"(\d{1,10})\s*[/:-]\s*(\d{1,10})", re.ASCII)
OF_TWO: Final = ("purchase", "run")  # a terminal and a record's number, or a year and a run's
KINDS: Final = ("purchase", "terminal", "merchant", "alarm", "run", "dispute", "resident")


class RecordUnreadable(KanpuError):
    """This is no reference of that kind."""

    code = "record_unreadable"


def named(kind: str, reference: str) -> str:
    """The record of a kind that somebody typed the reference of. Raises RecordUnreadable."""
    text = unicodedata.normalize("NFKC", reference).strip()
    if kind == "resident":
        return f"resident:{_uuid(text)}"
    match = (TWO_NUMBERS if kind in OF_TWO else NUMBER).fullmatch(text)
    if kind not in KINDS or match is None:
        raise RecordUnreadable("Give a number; for a purchase terminal/number, for a run year/number.")
    numbers = [int(part) for part in match.groups() or (match[0],)]
    if max(numbers) > LARGEST:
        raise RecordUnreadable("No number is as large as this.")
    return f"{kind}:{'/'.join(map(str, numbers))}"


def numbers_of(record: str) -> tuple[int, ...]:
    """The numbers that name a record: two of a purchase or a run, none of a resident or of another form."""
    kind, _, reference = record.partition(":")
    parts = reference.split("/")
    return tuple(map(int, parts)) if kind != "resident" and all(map(str.isdecimal, parts)) else ()


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise RecordUnreadable("A reference has 32 hexadecimal digits.") from error

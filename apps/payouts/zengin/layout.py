"""The records of a transfer file, field by field (全銀協 規定フォーマット, 総合振込, 種別コード 21). Pure.

A record has 120 bytes, one for each character. `N` is a number, right-justified and filled with zeros; `C` is text,
left-justified and filled with spaces, in what banks take: digits, capital letters, half-width katakana, the voiced
marks as characters of their own, space, ( ) - and a full stop.
"""

import re
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from apps.kernel.errors import KanpuError

RECORD_BYTES: Final = 120
ENCODING: Final = "cp932"  # one byte a character for all that is allowed; Python has no codec for JIS X 0201
ALLOWED: Final = re.compile(r"[0-9A-Zｱ-ﾝﾞﾟ ().-]*")


class FieldRefused(KanpuError):
    """A value does not fit its field, or has characters that banks do not take: nothing is cut or left out."""

    code = "field_refused"

    def __init__(self, field: str, value: object, why: str) -> None:
        super().__init__(f"{field} {value!r} {why}.")
        self.field = field


class RecordUnreadable(KanpuError):
    """Bytes are no record of this kind."""

    code = "record_unreadable"


class Field(NamedTuple):
    """A field of a record: what it is called, number or text, bytes. `value` where it is always the same."""

    name: str
    kind: Literal["N", "C"]
    length: int
    value: str | None = None


Layout = tuple[Field, ...]

HEADER: Final[Layout] = (
    Field("record", "N", 1, "1"),
    Field("type", "N", 2, "21"),
    Field("code", "N", 1, "0"),  # JIS
    Field("sender_code", "N", 10),
    Field("sender_name", "C", 40),
    Field("date", "N", 4),  # month and day of the transfer
    Field("bank", "N", 4),
    Field("bank_name", "C", 15),
    Field("branch", "N", 3),
    Field("branch_name", "C", 15),
    Field("account_type", "N", 1),  # 1 ordinary, 2 current, 9 other
    Field("account_number", "N", 7),
    Field("unused", "C", 17, ""),
)
DATA: Final[Layout] = (
    Field("record", "N", 1, "2"),
    Field("bank", "N", 4),
    Field("bank_name", "C", 15),
    Field("branch", "N", 3),
    Field("branch_name", "C", 15),
    Field("clearing_house", "C", 4),  # zeros or spaces, as the bank wants it
    Field("account_type", "N", 1),  # 1 ordinary, 2 current, 4 savings, 9 other
    Field("account_number", "N", 7),
    Field("recipient", "C", 30),
    Field("amount", "N", 10),
    Field("new_code", "N", 1),  # 1 first transfer, 2 changed, 0 other
    Field("customer_code_1", "C", 10),
    Field("customer_code_2", "C", 10),
    Field("transfer_type", "N", 1),  # 7 by wire, 8 by letter
    Field("identification", "C", 1),  # Y makes the customer codes one text of 20 for the recipient (EDI)
    Field("result", "C", 1),  # of the unused rest; in a result file what became of it
    Field("unused", "C", 6, ""),
)
TRAILER: Final[Layout] = (
    Field("record", "N", 1, "8"),
    Field("count", "N", 6),
    Field("sum", "N", 12),
    Field("unused", "C", 101, ""),
)
END: Final[Layout] = (Field("record", "N", 1, "9"), Field("unused", "C", 119, ""))
KINDS: Final[Mapping[str, Layout]] = {"1": HEADER, "2": DATA, "8": TRAILER, "9": END}


def offsets(layout: Layout) -> dict[str, tuple[int, int]]:
    """Where each field begins, from 0, and how long it is."""
    found, at = {}, 0
    for field in layout:
        found[field.name] = (at, field.length)
        at += field.length
    return found


def render(layout: Layout, values: Mapping[str, str | int]) -> bytes:
    """A record of these values, without a line's end. Raises FieldRefused, and KeyError for a value that is missing."""
    return "".join(
        rendered(field, field.value if field.value is not None else values[field.name]) for field in layout
    ).encode(ENCODING)


def rendered(field: Field, value: str | int) -> str:
    """A value as it stands in its field. Raises FieldRefused."""
    text = str(value)
    if field.kind == "N":
        if not (text.isascii() and text.isdigit()):
            raise FieldRefused(field.name, value, "is no number")
        text = text.zfill(field.length)
    elif not ALLOWED.fullmatch(text):
        raise FieldRefused(field.name, value, "has characters that banks do not take")
    if len(text) > field.length:
        raise FieldRefused(field.name, value, f"is longer than {field.length} characters")
    return text.ljust(field.length)


def parse(record: bytes) -> tuple[str, dict[str, str]]:
    """A record's kind and its fields, text without the spaces at its end. Raises RecordUnreadable."""
    if len(record) != RECORD_BYTES:
        raise RecordUnreadable(f"The record has {len(record)} bytes, not {RECORD_BYTES}.")
    try:
        text = record.decode(ENCODING)
    except UnicodeDecodeError as error:
        raise RecordUnreadable("The record is not in the characters of banks.") from error
    if len(text) != RECORD_BYTES or not ALLOWED.fullmatch(text):
        raise RecordUnreadable("The record has characters that banks do not take.")
    if text[0] not in KINDS:
        raise RecordUnreadable(f"No record begins with {text[0]!r}.")
    values, at = {}, 0
    for field in KINDS[text[0]]:
        values[field.name] = text[at : at + field.length].rstrip(" ")
        at += field.length
        _check(field, values[field.name])
    return text[0], values


def _check(field: Field, value: str) -> None:
    if field.kind == "N" and not (len(value) == field.length and value.isascii() and value.isdigit()):
        raise RecordUnreadable(f"{field.name} {value!r} is no number of {field.length} digits.")
    if field.value is not None and value != field.value:
        raise RecordUnreadable(f"{field.name} is {value!r}, not {field.value!r}.")

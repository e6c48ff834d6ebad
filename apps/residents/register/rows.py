"""The rows of a register's table: from texts to a typed row, or to a defect that says what to do. Pure.

A defect names line and column and never repeats what stands there: it may be somebody's number, name or address.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Final, NamedTuple

import msgspec

from apps.kernel.errors import KanpuError
from apps.residents.numbers import is_individual_number, is_resident_code, plain_digits
from apps.residents.register.values import YEARS, read_date, read_event, read_flag, read_language, read_value
from apps.residents.vault.contents import Address

HEADERS: Final[Mapping[str, str]] = {
    "個人番号": "individual_number", "マイナンバー": "individual_number", "住民票コード": "resident_code",
    "氏名": "name", "氏名漢字": "name", "氏名カナ": "name_kana", "フリガナ": "name_kana", "氏名フリガナ": "name_kana",
    "ローマ字氏名": "name_latin", "氏名ローマ字": "name_latin", "生年月日": "birth_date",
    "住民となった日": "resident_from", "住民となった年月日": "resident_from", "住民でなくなった日": "resident_to",
    "住民でなくなった年月日": "resident_to", "世帯番号": "household", "世帯": "household", "世帯主": "head",
    "郵便番号": "postal_code", "住所": "address", "通称": "name_alias", "旧氏": "former_name", "言語": "language",
    "支援措置": "protected", "異動事由": "event", "異動日": "event_date", "異動年月日": "event_date",
}  # fmt: skip
REQUIRED: Final = ("name", "birth_date", "resident_from", "address")
COLUMNS: Final = (
    "individual_number", "resident_code", "name", "name_kana", "name_latin", "birth_date", "resident_from",
    "resident_to", "household", "head", "postal_code", "address", "name_alias", "former_name", "language", "protected",
    "event", "event_date",
)  # fmt: skip
ATTRIBUTE: Final = re.compile(r"attr_[a-z0-9_]{1,27}")  # 32 characters in all
POSTAL_CODE: Final = re.compile(r"[0-9]{7}")
LONGEST: Final = 300
LOST: Final = re.compile(r"[\ud800-\udfff\ufffd]")  # what a decoder leaves of bytes that are none of its characters
CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
DAY: Final = timedelta(days=1)
BOUNDS: Final = f"({YEARS[0]} to {YEARS[-1]}; leave an end that is not known empty)"


class TableUnreadable(KanpuError):
    """The file is no table of residents."""

    code = "table_unreadable"


class Defect(NamedTuple):
    """Why a row is not taken: where, a stable code, and a reason that says what to do."""

    line: int
    column: str
    code: str
    reason: str


class Said(msgspec.Struct, array_like=True, gc=False):
    """Who a row is about: what goes to the vault. None is what the table does not say."""

    individual_number: str | None
    resident_code: str | None
    name: str
    name_kana: str
    name_latin: str
    birth_date: date
    name_alias: str | None
    former_name: str | None
    address: Address


class Row(msgspec.Struct, array_like=True, gc=False):
    """All else that a row says. None is what the table does not say: it has no such column, or nothing in it.

    `resident_to` is the first day no longer resident. `attributes` has None for those whose cell is empty.
    """

    line: int
    birth_date: date
    resident_from: date
    resident_to: date | None
    household: str | None
    is_head: bool
    language: str | None
    is_protected: bool | None
    attributes: dict[str, int | str | None]
    event: str | None
    event_date: date | None


class Layout(NamedTuple):
    """Where a table has its columns; what it has besides is not read."""

    places: dict[str, int]
    attributes: dict[str, int]
    ignored: list[str]
    width: int


class _Unfit(Exception):
    def __init__(self, column: str, code: str, reason: str) -> None:
        self.defect = (column, code, reason)


def read_header(fields: Sequence[str]) -> Layout:
    """The columns that a table's first line names, in English or Japanese. Raises TableUnreadable."""
    places: dict[str, int] = {}
    attributes: dict[str, int] = {}
    ignored = []
    for place, text in enumerate(fields):
        header = "".join(unicodedata.normalize("NFKC", text).lower().split()).removeprefix("\ufeff")
        name = HEADERS.get(header, header)
        kept = attributes if ATTRIBUTE.fullmatch(name) else places
        if name in kept:
            raise TableUnreadable(f"The file's first line has the column {name} twice. Remove one.")
        if kept is places and name not in COLUMNS:
            ignored.append(text.strip()[:40])
        else:
            kept[name] = place
    missing = [name for name in REQUIRED if name not in places]
    if not {"individual_number", "resident_code"} & set(places):
        missing.insert(0, "individual_number")
    if missing:
        raise TableUnreadable(f"The file's first line lacks the columns {', '.join(missing)}.")
    return Layout(places, attributes, ignored, len(fields))


def read_row(layout: Layout, fields: Sequence[str], line: int) -> tuple[Row, Said] | Defect:
    """The row that these texts say, or why not."""
    if len(fields) != layout.width:
        reason = f"the row has {len(fields)} columns, the first line {layout.width}: look for a comma or quote too many"
        return Defect(line, "", "row_width", reason)
    try:
        given = {name: fields[place].strip() for name, place in layout.places.items()}
        attributes = {name: _value(name, fields[place].strip()) for name, place in layout.attributes.items()}
        row = _row(given, attributes, line)
        return row, _said(given, row.birth_date)
    except _Unfit as unfit:
        return Defect(line, *unfit.defect)


def _said(given: Mapping[str, str], birth_date: date) -> Said:
    number, code = _numbers(given)
    return Said(
        individual_number=number,
        resident_code=code,
        name=_required(given, "name"),
        name_kana=_text(given, "name_kana") or "",
        name_latin=_text(given, "name_latin") or "",
        birth_date=birth_date,
        name_alias=_text(given, "name_alias"),
        former_name=_text(given, "former_name"),
        address=Address(_postal_code(given), _required(given, "address")),
    )


def _row(given: Mapping[str, str], attributes: dict[str, int | str | None], line: int) -> Row:
    birth_date, resident_from = _day(given, "birth_date"), _day(given, "resident_from")
    if birth_date is None or resident_from is None:
        column = "birth_date" if birth_date is None else "resident_from"
        raise _Unfit(column, "date_missing", "give the day")
    event, event_date = _event(given)
    resident_to = _day(given, "resident_to")
    if resident_to is None and event in ("death", "move_out") and event_date:
        resident_to = event_date + DAY
    if resident_from < birth_date:
        raise _Unfit("resident_from", "dates_reversed", "nobody is resident before birth: correct one of the dates")
    if resident_to and resident_to <= resident_from:
        raise _Unfit("resident_to", "dates_reversed", "the first day no longer resident comes after resident_from")
    household, is_head = _text(given, "household") or None, bool(_flag(given, "head"))
    if is_head and household is None:
        raise _Unfit("household", "household_missing", "a head needs the household's number")
    return Row(
        line=line,
        birth_date=birth_date,
        resident_from=resident_from,
        resident_to=resident_to,
        household=household,
        is_head=is_head,
        language=_language(given),
        is_protected=_flag(given, "protected"),
        attributes=attributes,
        event=event,
        event_date=event_date,
    )


def _numbers(given: Mapping[str, str]) -> tuple[str | None, str | None]:
    number = plain_digits(given.get("individual_number", "")) or None
    code = plain_digits(given.get("resident_code", "")) or None
    if number is None and code is None:
        raise _Unfit("individual_number", "number_missing", "give the individual number, or the resident code")
    if number and not (len(number) == 12 and number.isdigit() and number.isascii()):
        raise _Unfit("individual_number", "number_malformed", "an individual number has 12 digits")
    if number and not is_individual_number(number):
        raise _Unfit("individual_number", "check_digit_wrong", "the check digit is wrong: look for a mistyped digit")
    if code and not is_resident_code(code):
        raise _Unfit("resident_code", "code_malformed", "a resident code has 11 digits; leave it empty if unknown")
    return number, code


def _text(given: Mapping[str, str], column: str) -> str | None:
    """A text as it is: no character is replaced by another. None where the table has no such column."""
    text = given.get(column)
    if not text:
        return text
    if "\ufffd" in text or not text.isprintable():  # Python calls wide spaces and 外字 unprintable, too
        if LOST.search(text):
            raise _Unfit(column, "character_lost", "characters were lost when the file was made: export it in UTF-8")
        if CONTROL.search(text):
            raise _Unfit(column, "text_unprintable", "remove line breaks, tabs and control characters")
    if len(text) > LONGEST:
        raise _Unfit(column, "text_too_long", f"at most {LONGEST} characters")
    return text


def _required(given: Mapping[str, str], column: str) -> str:
    text = _text(given, column)
    if not text:
        raise _Unfit(column, "text_missing", "this may not be empty")
    return text


def _day(given: Mapping[str, str], column: str) -> date | None:
    text = given.get(column)
    if not text:
        return None
    if (day := read_date(text)) is None:
        raise _Unfit(
            column, "date_unreadable", f"write a date as 2017-04-03, 2017/4/3, 20170403 or 平成29年4月3日 {BOUNDS}"
        )
    return day


def _flag(given: Mapping[str, str], column: str) -> bool | None:
    text = given.get(column)
    if not text:
        return None
    if (flag := read_flag(text)) is None:
        raise _Unfit(column, "flag_unreadable", "write 1 or 0, true or false, 有 or 無")
    return flag


def _language(given: Mapping[str, str]) -> str | None:
    text = given.get("language")
    if text and (language := read_language(text)):
        return language
    if text:
        raise _Unfit("language", "language_unknown", "letters are written in ja or en")
    return None


def _event(given: Mapping[str, str]) -> tuple[str | None, date | None]:
    text, day = given.get("event"), _day(given, "event_date")
    if not text:
        return None, day
    if (event := read_event(text)) is None:
        raise _Unfit("event", "event_unknown", "see docs/register.md for the events, or leave it empty")
    return event, day


def _postal_code(given: Mapping[str, str]) -> str:
    digits = plain_digits(given.get("postal_code", "").removeprefix("〒"))
    if digits and not POSTAL_CODE.fullmatch(digits):
        raise _Unfit("postal_code", "postal_code_malformed", "a postal code has 7 digits; leave it empty if unknown")
    return f"{digits[:3]}-{digits[3:]}" if digits else ""


def _value(name: str, text: str) -> int | str | None:
    if len(text) > LONGEST or not text.isprintable():
        raise _Unfit(name, "value_unfit", f"write a whole number or a text of at most {LONGEST} characters")
    return read_value(text) if text else None

"""The work on a row that needs no database: read, indexed, sealed ahead. Done by processes of its own. Pure."""

import csv
import uuid
from collections.abc import Iterable
from datetime import date
from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from apps.residents.register.rows import LOST, Defect, Layout, Row, Said, read_row
from apps.residents.vault.contents import Identity, Person, person_key
from apps.residents.vault.keys import VaultKeys
from apps.residents.vault.rows import sealed_values
from apps.residents.vault.sealing import keyed_index

SEALED: Final = ("individual_number", "resident_code", "person", "address")
QUOTES: Final = "quotes_unbalanced"


class Record(NamedTuple):
    """A line of a table, or several where a quoted field has line breaks, with the number of the first."""

    line: int
    text: str


class Reading(NamedTuple):
    """How a table is read: its columns, the vault's keys, whose register it is."""

    layout: Layout
    keys: VaultKeys
    municipality: str


class Prepared(msgspec.Struct, array_like=True, gc=False):
    """A row with what it is found by under each index key, the newest first, and what tells it from another.

    `sealed` are the vault's columns (SEALED) under the reference `ref`, which counts if the resident turns out to be
    new. `macs` are over all that the row says but household and event. `said` is opened only if the resident changed.
    """

    row: Row
    said: msgspec.Raw
    numbers: tuple[bytes, ...]
    codes: tuple[bytes, ...]
    households: tuple[bytes, ...]
    macs: tuple[bytes, ...]
    person_index: bytes
    ref: UUID
    sealed: tuple[bytes | None, ...]


class Outcome(msgspec.Struct, array_like=True):
    """What became of some records."""

    rows: list[Prepared]
    defects: list[Defect]
    last_line: int = 0


def prepare(reading: Reading, records: Iterable[Record], *, ahead: bool) -> Outcome:
    """Read records; with `ahead`, seal each row for the case that its resident is new."""
    found = Outcome([], [])
    for record in records:
        for read in _read(reading.layout, record):
            if isinstance(read, Defect):
                found.defects.append(read)
            else:
                found.rows.append(prepared_row(reading, *read, ahead=ahead))
        found.last_line = record.line
    return found


def _read(layout: Layout, record: Record) -> list[tuple[Row, Said] | Defect]:
    """A record's row. Lines that only two stray quotes hold together are read one by one."""
    row = _row(layout, record)
    lines = record.text.splitlines() if isinstance(row, Defect) and row.code in ("row_width", QUOTES) else []
    if len(lines) > 1:
        return [_row(layout, Record(record.line + n, line)) for n, line in enumerate(lines) if line]
    return [row]


def _row(layout: Layout, record: Record) -> tuple[Row, Said] | Defect:
    try:
        fields = next(csv.reader([record.text], strict=True))
    except (csv.Error, StopIteration):
        reason = "a quote is missing or one too many: a quote within a quoted text is written twice"
        return Defect(record.line, "", QUOTES, reason)
    row = read_row(layout, fields, record.line)
    if isinstance(row, Defect) and row.code == "row_width" and LOST.search(record.text):
        return row._replace(code="character_lost", reason="bytes that are no characters: export the file in UTF-8")
    return row


def prepared_row(reading: Reading, row: Row, said: Said, *, ahead: bool) -> Prepared:
    """A row with its indexes; sealed with `ahead`."""
    keys, number, code = reading.keys, said.individual_number, said.resident_code
    place = f"{reading.municipality}\n{row.household}"
    ref = uuid.uuid4()
    return Prepared(
        row=row,
        said=msgspec.Raw(msgspec.msgpack.encode(said)),
        numbers=_indexes(keys, "individual_number", number) if number else (),
        codes=_indexes(keys, "resident_code", code) if code else (),
        households=_indexes(keys, "household", place) if row.household else (),
        macs=_indexes(keys, "content", _content(reading.municipality, row, said)),
        person_index=keyed_index(keys, "person", person_key(said.name_kana or said.name, said.birth_date)),
        ref=ref,
        sealed=sealed_ahead(keys, ref, said) if ahead else (),
    )


def sealed_ahead(keys: VaultKeys, ref: UUID, said: Said) -> tuple[bytes | None, ...]:
    """What a row says of a new resident, sealed: a value for each of SEALED."""
    sealed = sealed_values(keys, ref, identity_of(said))
    return tuple(sealed.get(column) for column in SEALED)


def _indexes(keys: VaultKeys, column: str, text: str) -> tuple[bytes, ...]:
    return tuple(keyed_index(keys, column, text, version=version) for version in sorted(keys.indexing, reverse=True))


def _content(municipality: str, row: Row, said: Said) -> str:
    """All that a row says of its resident, in one way. Households are compared by themselves; events only explain."""
    rest = (row.resident_from, row.resident_to, row.language, row.is_protected, sorted(row.attributes.items()))
    return msgspec.json.encode((municipality, said, rest)).decode()


def said_in(item: Prepared) -> Said:
    """Who a row is about."""
    return msgspec.msgpack.decode(item.said, type=Said)


def identity_of(said: Said, known: Identity | None = None) -> Identity:
    """Who the resident of a row is; what the row does not say is as it was known. Accounts are not the register's."""
    known = known or Identity()
    old = known.person
    return Identity(
        individual_number=said.individual_number or known.individual_number,
        resident_code=said.resident_code or known.resident_code,
        person=Person(
            name=said.name,
            name_kana=said.name_kana,
            name_latin=said.name_latin,
            birth_date=said.birth_date,
            name_alias=_or_known(said.name_alias, old.name_alias if old else ""),
            former_name=_or_known(said.former_name, old.former_name if old else ""),
        ),
        address=said.address,
    )


def _or_known(text: str | None, known: str) -> str:
    return known if text is None else text


def age_on(day: date, birth_date: date) -> int:
    """Whole years of age on a day (who was born on 29 February is a year older on 1 March of other years)."""
    return day.year - birth_date.year - ((day.month, day.day) < (birth_date.month, birth_date.day))

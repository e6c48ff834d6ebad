"""A passing table of the file's residents, which tells repeated ones, and what households come of it.

It lasts as long as the import's connection and holds references, months and flags only.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Final, NamedTuple
from uuid import UUID, uuid4

from apps.residents.operations.importing.changing import Change
from apps.residents.operations.importing.job import Cursor, Job, copy_rows, raw_cursor
from apps.residents.register.changes import month_from, month_of
from apps.residents.register.prepared import Prepared, age_on
from apps.residents.vault.contents import HOUSEHOLD_TABLE
from apps.residents.vault.sealing import Place, seal

ADULT_AGE: Final = 18  # 民法 4条, as it is since April 2022
STAGED: Final = {
    "line": "int4", "ref": "uuid", "household_ref": "uuid", "is_head": "bool", "is_child": "bool", "is_new": "bool",
    "arrived": "date", "since": "date", "until": "date", "event": "text", "event_date": "date",
}  # fmt: skip
MAKE: Final = (
    "DROP TABLE IF EXISTS staged; CREATE TEMP TABLE staged ("
    + ", ".join(f"{name} {kind}" for name, kind in STAGED.items())
    + ", PRIMARY KEY (ref))"
)
HOUSEHOLD: Final = {
    "household_ref": "uuid", "number": "bytea", "number_index": "bytea", "key_version": "int2", "index_version": "int2"
}  # fmt: skip


class Staged(NamedTuple):
    """Where a resident of the file belongs: from `since` on, or since `arrived` if they belonged nowhere then.

    `household_ref` is None where the file does not say. `until` is the month after residence. `event` is what the row
    names, if it is not recorded yet.
    """

    line: int
    ref: UUID
    household_ref: UUID | None
    is_head: bool
    is_child: bool
    is_new: bool
    arrived: date
    since: date
    until: date | None
    event: str | None
    event_date: date


@contextmanager
def staging() -> Iterator[None]:
    """With an empty table."""
    with raw_cursor() as cursor:
        cursor.execute(MAKE)
        yield
        cursor.execute("DROP TABLE IF EXISTS staged, heads, nowhere, moving")


def staged_before(cursor: Cursor, refs: Sequence[UUID]) -> set[UUID]:
    """Who of these was in the file before."""
    return {ref for (ref,) in cursor.execute("SELECT ref FROM staged WHERE ref = ANY(%b)", [list(refs)])}


def stage(cursor: Cursor, rows: Iterable[Staged]) -> None:
    """Add residents."""
    copy_rows(cursor, "staged", STAGED, rows)


def staged(job: Job, item: Prepared, ref: UUID, homes: dict[bytes, UUID], change: Change | None) -> Staged:
    """What a row says of where its resident belongs. A row about an earlier time of residence says nothing."""
    row = item.row
    is_new = ref == item.ref
    is_outdated = change is not None and change.identity is None
    day = row.event_date or job.as_of
    return Staged(
        line=row.line,
        ref=ref,
        household_ref=homes[item.households[0]] if item.households and not is_outdated else None,
        is_head=row.is_head,
        is_child=age_on(job.as_of, row.birth_date) < ADULT_AGE,
        is_new=is_new,
        arrived=month_of(row.resident_from),
        since=month_from(day),
        until=month_from(row.resident_to) if row.resident_to and not is_outdated else None,
        event=None if is_new or (change and change.events) else row.event,
        event_date=day,
    )


def household_refs(cursor: Cursor, job: Job, rows: Sequence[Prepared]) -> dict[bytes, UUID]:
    """The references of the rows' households by newest index; a household that is not known gets a random one."""
    indexes = [index for item in rows for index in item.households]
    cursor.execute(
        "SELECT number_index, household_ref FROM residents_householdindex WHERE number_index = ANY(%b::bytea[])",
        [indexes],
        binary=True,
    )
    known = dict(cursor.fetchall())
    found: dict[bytes, UUID] = {}
    made = []
    for item in rows:
        if not item.households or (newest := item.households[0]) in found:
            continue
        ref = next((known[index] for index in item.households if index in known), None)
        if ref is None:
            ref = uuid4()
            number = f"{job.municipality}\n{item.row.household}".encode()
            sealed = seal(job.keys, Place(HOUSEHOLD_TABLE, "number", str(ref)), number)
            made.append((ref, sealed, newest, job.keys.newest, job.keys.newest_index))
        found[newest] = ref
    copy_rows(cursor, "residents_householdindex", HOUSEHOLD, made)
    return found

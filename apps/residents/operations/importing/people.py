"""A batch of the register's rows: who is new, who is known and the same, who has changed.

Rows that the database refuses are found by halving the batch: one bad row costs no other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from uuid import UUID

from django.db import IntegrityError, connection, transaction

from apps.merchants.models import Mode
from apps.residents.operations.holding import hold_vault_keys
from apps.residents.operations.importing.changing import add_attributes, apply_changes, changes_of
from apps.residents.operations.importing.job import EVENT, Cursor, Job, copy_rows, lock_register, raw_cursor
from apps.residents.operations.importing.staging import Staged, household_refs, stage, staged, staged_before
from apps.residents.register.changes import first_events
from apps.residents.register.prepared import Prepared, said_in, sealed_ahead
from apps.residents.register.rows import Defect

FOUND: Final = """
SELECT individual_number_index, resident_id, content_mac FROM residents_vaultrecord
WHERE individual_number_index = ANY(%b::bytea[])
UNION ALL
SELECT resident_code_index, resident_id, content_mac FROM residents_vaultrecord
WHERE resident_code_index = ANY(%b::bytea[])
"""
RESIDENT: Final = {
    "ref": "uuid", "mode": "text", "resident_from": "date", "resident_to": "date", "municipality": "text",
    "language": "text", "is_protected": "bool",
}  # fmt: skip
VAULT: Final = {
    "resident_id": "uuid", "key_version": "int2", "index_version": "int2", "individual_number": "bytea",
    "individual_number_index": "bytea", "resident_code": "bytea", "resident_code_index": "bytea", "person": "bytea",
    "person_index": "bytea", "address": "bytea", "content_mac": "bytea",
}  # fmt: skip


@dataclass(slots=True)
class Taken:
    """What became of a batch: residents by line, and the rows that were not taken."""

    added: dict[int, UUID] = field(default_factory=dict)
    updated: dict[int, UUID] = field(default_factory=dict)
    unchanged: dict[int, UUID] = field(default_factory=dict)
    arriving: list[Staged] = field(default_factory=list)
    defects: list[Defect] = field(default_factory=list)


class Owner(NamedTuple):
    """Whose number or code it is, and what the last row said of them."""

    ref: UUID
    content_mac: bytes | None


class Known(NamedTuple):
    """A row of a resident who is known."""

    item: Prepared
    ref: UUID
    content_mac: bytes | None

    def is_same(self) -> bool:
        """Whether the row says what the last one said."""
        return self.content_mac in self.item.macs


def take(job: Job, rows: Sequence[Prepared]) -> Taken:
    """Take a batch into the register, in one transaction; what the database refuses is left out."""
    try:
        with transaction.atomic():
            return _take(job, rows)
    except IntegrityError as error:
        if len(rows) == 1:
            return Taken(defects=[_refused(rows[0], error)])
    first, second = take(job, rows[: len(rows) // 2]), take(job, rows[len(rows) // 2 :])
    return Taken(
        first.added | second.added, first.updated | second.updated, first.unchanged | second.unchanged,
        first.arriving + second.arriving, first.defects + second.defects,
    )  # fmt: skip


def _refused(item: Prepared, error: IntegrityError) -> Defect:
    """A defect that names the constraint, never the values."""
    diag = getattr(error.__cause__, "diag", None)
    reason = f"it contradicts what is known ({getattr(diag, 'constraint_name', None)}): look the resident up"
    return Defect(item.row.line, "", "contradiction", reason)


def _take(job: Job, rows: Sequence[Prepared]) -> Taken:
    with connection.wrap_database_errors, raw_cursor() as cursor:
        hold_vault_keys(job.keys)
        lock_register(cursor)
        fresh, known, defects = _sorted_out(rows, _owners(cursor, rows))
        before = staged_before(cursor, [each.ref for each in known])
        defects += [_repeated(each.item) for each in known if each.ref in before]
        known = [each for each in known if each.ref not in before]
        changes, unfit = changes_of(job, [(each.item, each.ref) for each in known if not each.is_same()])
        known = [each for each in known if each.item.row.line not in {defect.line for defect in unfit}]
        apply_changes(cursor, job, list(changes.values()))
        _add(cursor, job, fresh)
        homes = household_refs(cursor, job, [*fresh, *(each.item for each in known)])
        of_new = [staged(job, item, item.ref, homes, None) for item in fresh]
        stage(cursor, of_new + [staged(job, each.item, each.ref, homes, changes.get(each.ref)) for each in known])
    is_updated = {ref for ref, change in changes.items() if change.is_visible}
    lines = {each.item.row.line: each.ref for each in known}
    return Taken(
        added={item.row.line: item.ref for item in fresh},
        updated={line: ref for line, ref in lines.items() if ref in is_updated},
        unchanged={line: ref for line, ref in lines.items() if ref not in is_updated},
        arriving=of_new,
        defects=defects + unfit,
    )


def _owners(cursor: Cursor, rows: Sequence[Prepared]) -> dict[bytes, Owner]:
    numbers = [index for item in rows for index in item.numbers]
    codes = [index for item in rows for index in item.codes]
    cursor.execute(FOUND, [numbers, codes], binary=True)
    return {index: Owner(ref, mac) for index, ref, mac in cursor.fetchall()}


def _sorted_out(
    rows: Sequence[Prepared], owners: dict[bytes, Owner]
) -> tuple[list[Prepared], list[Known], list[Defect]]:
    """Rows of new residents, rows of known ones, and those that fit neither."""
    fresh: list[Prepared] = []
    known: list[Known] = []
    defects: list[Defect] = []
    seen: set[object] = set()
    for item in rows:
        found = _owner(item, owners)
        if isinstance(found, Defect):
            defects.append(found)
            continue
        names = {found.ref} if found else {*item.numbers[:1], *item.codes[:1]}
        if names & seen:
            defects.append(_repeated(item))
        elif found:
            known.append(Known(item, *found))
        else:
            fresh.append(item)
        seen |= names
    return fresh, known, defects


def _owner(item: Prepared, owners: dict[bytes, Owner]) -> Owner | Defect | None:
    """Whose row it is: by number, or by code where the number is not known (it has changed) or not given."""
    by_number = next((owners[index] for index in item.numbers if index in owners), None)
    by_code = next((owners[index] for index in item.codes if index in owners), None)
    if by_number and by_code and by_number.ref != by_code.ref:
        reason = "number and code belong to two residents: correct one of them"
        return Defect(item.row.line, "resident_code", "code_of_another", reason)
    if not item.numbers and by_code is None:
        reason = "nobody has this resident code: give the individual number"
        return Defect(item.row.line, "individual_number", "resident_unknown", reason)
    return by_number or by_code


def _repeated(item: Prepared) -> Defect:
    reason = "the file has this resident in an earlier line: keep one of them"
    return Defect(item.row.line, "individual_number", "repeated", reason)


def _add(cursor: Cursor, job: Job, fresh: Sequence[Prepared]) -> None:
    if not fresh:
        return
    copy_rows(cursor, "residents_resident", RESIDENT, (_resident(job, item) for item in fresh))
    copy_rows(cursor, "residents_vaultrecord", VAULT, (_vault_row(job, item) for item in fresh))
    events = ((item.ref, *event, job.at, job.actor) for item in fresh for event in first_events(item.row, job.as_of))
    copy_rows(cursor, "residents_registerevent", EVENT, events)
    attributes = [(item.ref, *each) for item in fresh for each in item.row.attributes.items() if each[1] is not None]
    add_attributes(cursor, job, attributes)


def _resident(job: Job, item: Prepared) -> tuple[object, ...]:
    row = item.row
    language, is_protected = row.language or "ja", bool(row.is_protected)
    return item.ref, Mode.LIVE, row.resident_from, row.resident_to, job.municipality, language, is_protected


def _vault_row(job: Job, item: Prepared) -> tuple[object, ...]:
    number, code, person, address = item.sealed or sealed_ahead(job.keys, item.ref, said_in(item))
    code_index = item.codes[0] if item.codes else None
    return (
        item.ref, job.keys.newest, job.keys.newest_index, number, item.numbers[0], code, code_index, person,
        item.person_index, address, item.macs[0],
    )  # fmt: skip

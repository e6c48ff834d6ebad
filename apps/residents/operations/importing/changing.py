"""Residents who are known and whose row says something new: what it is, and writing it."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Any, Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Prefetch
from django.utils import timezone
from psycopg.types.json import Jsonb
from psycopg.types.range import DateRange

from apps.residents.models import Attribute, EarlierResidence, VaultRecord
from apps.residents.operations.importing.job import Cursor, Job, copy_rows
from apps.residents.operations.judging_due import judge_again
from apps.residents.queries.vault import opened
from apps.residents.register.changes import Dated, changed_identity, changed_residence, events_of
from apps.residents.register.prepared import Prepared, identity_of, said_in
from apps.residents.register.residence import Residence, Span, first_change, residence_by
from apps.residents.register.rows import Defect
from apps.residents.vault.contents import COLUMNS, Identity, is_somebody_else
from apps.residents.vault.rows import sealed_columns

Values = list[tuple[UUID, str, int | str | None]]
ATTRIBUTE: Final = {"resident_id": "uuid", "name": "text", "value": "jsonb", "valid": "daterange"}
VAULT_COLUMNS: Final = (*COLUMNS, "individual_number_index", "resident_code_index", "person_index", "content_mac")
SET_VAULT: Final = (
    "UPDATE residents_vaultrecord AS v SET key_version = %s, index_version = %s, "
    + ", ".join(f"{column} = n.{column}" for column in VAULT_COLUMNS)
    + f" FROM unnest(%b::uuid[], {', '.join(['%b::bytea[]'] * len(VAULT_COLUMNS))})"
    + f" AS n (ref, {', '.join(VAULT_COLUMNS)}) WHERE v.resident_id = n.ref"
)
SET_RESIDENTS: Final = """
UPDATE residents_resident AS r SET resident_from = n.resident_from, resident_to = n.resident_to,
    municipality = n.municipality, language = n.language, is_protected = n.is_protected
FROM unnest(%b::uuid[], %b::date[], %b::date[], %b::text[], %b::text[], %b::bool[])
    AS n (ref, resident_from, resident_to, municipality, language, is_protected)
WHERE r.ref = n.ref
"""
ADD_EVENTS: Final = """
INSERT INTO residents_registerevent (resident_id, kind, effective_date, recorded_at, actor)
SELECT ref, kind, day, %s, %s FROM unnest(%b::uuid[], %b::text[], %b::date[]) AS n (ref, kind, day)
WHERE NOT EXISTS (SELECT FROM residents_registerevent e
                  WHERE e.resident_id = n.ref AND e.kind = n.kind AND e.effective_date = n.day)
ORDER BY ref, day, kind
"""
END_ATTRIBUTES: Final = """
WITH gone AS (
    DELETE FROM residents_attribute a USING unnest(%(refs)b::uuid[], %(names)b::text[]) AS n (ref, name)
    WHERE a.resident_id = n.ref AND a.name = n.name AND lower(a.valid) >= %(day)s)
UPDATE residents_attribute a SET valid = daterange(lower(a.valid), %(day)s)
FROM unnest(%(refs)b::uuid[], %(names)b::text[]) AS n (ref, name)
WHERE a.resident_id = n.ref AND a.name = n.name AND lower(a.valid) < %(day)s
    AND (upper_inf(a.valid) OR upper(a.valid) > %(day)s)
"""


OVERLAPS: Final = "these days overlap an earlier time of residence: correct resident_from or resident_to"
SOMEBODY_ELSE: Final = (
    "neither name nor birth date is that of the resident who has this number: correct it, or the birth date first"
)
OTHER_PERSON: Final = "number and birth date are not those of the resident who has this code: correct the code"


class Change(NamedTuple):
    """What a row makes of a resident who is known. `identity` is None when the row is about an earlier time only."""

    ref: UUID
    item: Prepared
    identity: Identity | None
    residence: Residence
    language: str
    is_protected: bool
    events: list[Dated]
    attributes: dict[str, int | str | None]
    moved_residence: bool
    judged_from: date | None

    @property
    def is_visible(self) -> bool:
        """Whether it says anything that was not known, and not only in other words."""
        return bool(self.events)


def changes_of(job: Job, rows: Sequence[tuple[Prepared, UUID]]) -> tuple[dict[UUID, Change], list[Defect]]:
    """What these rows change of the residents whom they are about, who stay locked; rows that contradict."""
    if not rows:
        return {}, []
    records = (
        VaultRecord.objects.select_for_update()
        .filter(pk__in=[ref for _, ref in rows])
        .select_related("resident")
        .prefetch_related(
            Prefetch("resident__earlier_residences", EarlierResidence.objects.order_by("valid")),
            Prefetch("resident__attributes", Attribute.objects.filter(valid__upper_inf=True)),
        )
    )
    found = {record.resident_id: record for record in records}
    changes, defects = {}, []
    for item, ref in rows:
        change = _change(job, item, found[ref])
        if isinstance(change, Defect):
            defects.append(change)
        else:
            changes[ref] = change
    return changes, defects


def _change(job: Job, item: Prepared, record: VaultRecord) -> Change | Defect:
    row, resident = item.row, record.resident
    earlier = tuple(
        Span(each.valid.lower, each.valid.upper, each.municipality) for each in resident.earlier_residences.all()
    )
    old = Residence(resident.resident_from, resident.resident_to, resident.municipality, earlier)
    judged = residence_by(old, row.resident_from, row.resident_to, job.municipality)
    if judged is None:
        return Defect(row.line, "resident_from", "residence_overlaps", OVERLAPS)
    new, kinds = judged.residence, changed_residence(old, judged.residence)
    known = opened(job.keys, record.resident_id, {column: getattr(record, column) for column in COLUMNS})
    language, is_protected, identity, attributes = resident.language, resident.is_protected, None, {}
    if not judged.is_outdated:
        identity = identity_of(said_in(item), known)
        held = {each.name: each.value for each in resident.attributes.all()}
        attributes = {name: value for name, value in row.attributes.items() if held.get(name) != value}
        language = row.language or language
        is_protected = is_protected if row.is_protected is None else row.is_protected
        kinds |= changed_identity(known, identity)
        if {"number", "correction"} <= kinds and known.person and known.person.birth_date != row.birth_date:
            return Defect(row.line, "resident_code", "code_of_another", OTHER_PERSON)
        if known.person and is_somebody_else(known.person, identity.person):
            return Defect(row.line, "individual_number", "number_of_another", SOMEBODY_ELSE)
        kinds |= {"attribute"} if attributes else set()
        kinds |= {"protection"} if is_protected != resident.is_protected else set()
        kinds |= {"correction"} if language != resident.language else set()
    return Change(
        ref=record.resident_id, item=item, identity=identity, residence=new, language=language,
        is_protected=is_protected, events=events_of(row, kinds, job.as_of), attributes=attributes,
        moved_residence=old != new, judged_from=first_change(old, new),
    )  # fmt: skip


def apply_changes(cursor: Cursor, job: Job, changes: Sequence[Change]) -> None:
    """Write changes, with a statement a table. Sales on days that were judged otherwise are judged again."""
    if not changes:
        return
    named = [(change, change.identity) for change in changes if change.identity]
    _set_vault(cursor, job, named)
    residences = [(c.ref, *c.residence[:3], c.language, c.is_protected) for c in changes]
    cursor.execute(SET_RESIDENTS, _columns(residences, 6))
    _set_earlier([change for change in changes if change.moved_residence])
    values = [(c.ref, name, value) for c in changes for name, value in c.attributes.items()]
    if values:
        parameters = {"refs": [each[0] for each in values], "names": [each[1] for each in values], "day": job.as_of}
        cursor.execute(END_ATTRIBUTES, parameters)
        add_attributes(cursor, job, values)
    add_events(cursor, job, [(c.ref, event) for c in changes for event in c.events])
    _judge_again(job, changes)


def _set_vault(cursor: Cursor, job: Job, named: Sequence[tuple[Change, Identity]]) -> None:
    sealed = []
    for change, identity in named:
        columns = sealed_columns(job.keys, change.ref, identity) | {"content_mac": change.item.macs[0]}
        sealed.append((change.ref, *(columns.get(column) for column in VAULT_COLUMNS)))
    versions = [job.keys.newest, job.keys.newest_index]
    cursor.execute(SET_VAULT, versions + _columns(sealed, len(VAULT_COLUMNS) + 1))


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[Any]:
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]


def _set_earlier(changes: Sequence[Change]) -> None:
    """Write who was resident when before; few residents were."""
    EarlierResidence.objects.filter(resident__in=[change.ref for change in changes]).delete()
    EarlierResidence.objects.bulk_create(
        EarlierResidence(resident_id=change.ref, valid=DateRange(span.start, span.end), municipality=span.municipality)
        for change in changes
        for span in change.residence.earlier
    )


def add_attributes(cursor: Cursor, job: Job, values: Values) -> None:
    """Record attributes from the job's day on; who has none any more is None."""
    valid = DateRange(job.as_of, None)
    rows = [(ref, name, Jsonb(value), valid) for ref, name, value in values if value is not None]
    if rows:
        copy_rows(cursor, "residents_attribute", ATTRIBUTE, rows)


def add_events(cursor: Cursor, job: Job, events: Sequence[tuple[UUID, Dated]]) -> None:
    """Record register events, each once."""
    if events:
        rows = [(ref, *event) for ref, event in events]
        cursor.execute(ADD_EVENTS, [job.at, job.actor, *_columns(rows, 3)])


def _judge_again(job: Job, changes: Sequence[Change]) -> None:
    today, zone = timezone.localdate(job.at), ZoneInfo(settings.TIME_ZONE)
    by_day: dict[date, list[UUID]] = defaultdict(list)
    for change in changes:
        if change.judged_from and change.judged_from <= today:
            by_day[change.judged_from].append(change.ref)
    for day, refs in by_day.items():
        judge_again(refs, since=datetime.combine(day, time(), zone), at=job.at)

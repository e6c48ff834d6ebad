"""Reading the register: who is resident when, and where."""

import json
from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.contrib.postgres.aggregates import ArrayAgg
from django.db import connection
from django.db.models import Q

from apps.kernel.database import Ask, Row, Statement
from apps.kernel.periods import Period
from apps.residents.judging import Days, is_resident
from apps.residents.models import JudgingDue, Resident
from apps.residents.months import Stretch, stretches
from apps.residents.queries.cards import days_of


def mode_of_resident(ref: UUID) -> str:
    """Whether a resident is live or one of test mode."""
    return Resident.objects.values_list("mode", flat=True).get(pk=ref)


def protected_among(refs: Collection[UUID]) -> set[UUID]:
    """Those of these residents who are protected: one query."""
    return set(Resident.objects.filter(pk__in=refs, is_protected=True).values_list("ref", flat=True))


def was_resident(ref: UUID, day: date) -> bool:
    """Whether somebody was resident on a day of the scheme's time zone: one query."""
    return is_resident(day, *days_of_residents([ref])[ref])


def days_of_residents(refs: Collection[UUID]) -> dict[UUID, tuple[date, date | None, tuple[Days, ...]]]:
    """From which day on each is resident, the first day after it if there is one, earlier spans: one query."""
    earlier = ArrayAgg("earlier_residences__valid", filter=Q(earlier_residences__isnull=False))
    rows = Resident.objects.filter(pk__in=refs).annotate(earlier=earlier)
    return {
        ref: (resident_from, resident_to, days_of(spans))
        for ref, resident_from, resident_to, spans in rows.values_list("ref", "resident_from", "resident_to", "earlier")
    }


class Residence(NamedTuple):
    """When somebody was resident, the latest time first, and whether they are protected now."""

    spans: list[Period]
    is_protected: bool


RESIDENCE: Final = Statement("""
SELECT resident_from, resident_to, is_protected,
       ARRAY(SELECT e.valid FROM residents_earlierresidence e WHERE e.resident_id = r.ref)
FROM residents_resident r WHERE r.ref = $1
""")


def ask_residence(ref: UUID) -> Ask:
    """One resident's times of residence, for a page that asks for other things in the same trip."""
    return Ask(RESIDENCE, (str(ref),))


def residence_in(rows: Sequence[Row]) -> Residence | None:
    """What `ask_residence` found; None for who is in no register."""
    if not rows:
        return None
    ((resident_from, resident_to, is_protected, earlier),) = rows
    return Residence([Period(resident_from, resident_to), *(Period(*days) for days in days_of(earlier))], is_protected)


def askings(*, asked_by: datetime) -> int:
    """How many residents' sales wait to be judged again, asked for up to a time: one query."""
    return JudgingDue.objects.filter(asked_at__lte=asked_by).count()


REGISTERED: Final = """
SELECT r.ref, r.resident_from, r.resident_to,
       (SELECT json_agg(json_build_array(lower(m.valid), upper(m.valid), m.household_ref, m.payee_id) ORDER BY m.valid)
        FROM residents_membership m
        WHERE m.resident_id = r.ref AND NOT r.is_protected AND m.valid && daterange(%(first)s, %(after)s))::text,
       (SELECT json_object_agg(a.name, a.value) FROM residents_attribute a
        WHERE a.resident_id = r.ref AND a.valid @> %(last)s::date)::text,
       (SELECT array_agg(e.valid) FROM residents_earlierresidence e WHERE e.resident_id = r.ref)
FROM residents_resident r
WHERE r.mode = 'live' AND (
    EXISTS (SELECT FROM residents_membership m
            WHERE m.resident_id = r.ref AND m.valid && daterange(%(first)s, %(after)s))
    OR EXISTS (SELECT FROM residents_attribute a WHERE a.resident_id = r.ref AND a.valid @> %(last)s::date))
ORDER BY r.ref
"""


class Registered(NamedTuple):
    """A resident of the register in a year: where they belonged by months, whom a child's share goes to, attributes."""

    resident_ref: UUID
    stretches: list[Stretch]
    payee_ref: UUID | None
    attributes: dict[str, int | str]


def registered_in(year: int) -> Iterator[Registered]:
    """Live residents with a household or an attribute in a year, by reference; flat in memory.

    An attribute counts as it is on the year's last day. Who is protected counts as living alone: what a pooled limit
    left to the others would tell of them. Must run in a transaction.
    """
    days = {"first": date(year, 1, 1), "after": date(year + 1, 1, 1), "last": date(year, 12, 31)}
    with connection.chunked_cursor() as cursor:
        cursor.execute(REGISTERED, days)
        while rows := cursor.fetchmany(5_000):
            for row in rows:
                registered = _registered(row, year)
                if registered.stretches:
                    yield registered


def _registered(row: tuple[Any, ...], year: int) -> Registered:
    ref, resident_from, resident_to, memberships, attributes, earlier = row
    homes = [
        (Period(date.fromisoformat(start), end and date.fromisoformat(end)), UUID(home), payee)
        for start, end, home, payee in json.loads(memberships or "[]")
    ]
    payees = [UUID(payee) for _, _, payee in homes if payee]
    residence = [Period(resident_from, resident_to), *(Period(*days) for days in days_of(earlier))]
    found = stretches(ref, residence, [(period, home) for period, home, _ in homes], year)
    return Registered(ref, found, payees[-1] if payees else None, json.loads(attributes or "{}"))

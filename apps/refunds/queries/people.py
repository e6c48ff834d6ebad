"""Residents as the assessment takes them: their totals, and their stretches in the register as a run keeps it."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby, islice
from typing import Final, TypeVar
from uuid import UUID

from apps.accruals.queries import ResidentYear, residents_years, years_of
from apps.refunds.assessment import Person
from apps.refunds.models import Member, Run

GROUPS_AT_ONCE: Final = 2_000
Item = TypeVar("Item")


def chunks_of_people(run: Run, first: UUID, last: UUID) -> Iterator[list[list[Person]]]:
    """Groups of people to assess together, whose group's reference lies in a range; some thousands at a time."""
    members = Member.objects.filter(tax_year=run.tax_year_id, run=run.number)
    in_groups = members.filter(group_ref__range=(first, last)).order_by("group_ref", "resident_ref", "first_month")
    groups = groupby(in_groups.iterator(chunk_size=10_000), key=lambda member: member.group_ref)
    for some in chunks((list(rows) for _, rows in groups), GROUPS_AT_ONCE):
        refs = {member.resident_ref for rows in some for member in rows}
        years = {year.resident_ref: year for year in years_of(run.tax_year_id, sorted(refs), up_to_run=run.number)}
        yield [_people(rows, years) for rows in some]
    alone = residents_years(run.tax_year_id, up_to_run=run.number, first=first, last=last)
    for loners in chunks(alone, GROUPS_AT_ONCE):
        known = members.filter(resident_ref__in=[year.resident_ref for year in loners])
        in_register = set(known.values_list("resident_ref", flat=True))
        yield [[person_of(year)] for year in loners if year.resident_ref not in in_register]


def _people(rows: Iterable[Member], years: Mapping[UUID, ResidentYear]) -> list[Person]:
    by_resident = groupby(rows, key=lambda member: member.resident_ref)
    return [person_of(years.get(ref) or ResidentYear(ref), list(own)) for ref, own in by_resident]


def person_of(year: ResidentYear, members: Iterable[Member] = ()) -> Person:
    """A resident's year as the assessment takes it; without rows in the register alone all year."""
    homes: list[UUID | None] = [None] * 12
    attributes: dict[str, int | str] = {}
    for member in members:
        homes[member.first_month - 1 : member.last_month] = [member.household_ref] * (
            member.last_month - member.first_month + 1
        )
        attributes = member.attributes
    households = tuple(homes) if any(homes) else ()
    return Person(year.resident_ref, year.spend, year.bases, year.purchases, households, attributes)


def group_of(run: Run, resident_ref: UUID) -> list[Person]:
    """All residents whose refunds hang together with this one's, the resident among them: at most three queries."""
    members = Member.objects.filter(tax_year=run.tax_year_id, run=run.number)
    own = members.filter(resident_ref=resident_ref).values_list("group_ref", flat=True).first()
    rows = list(members.filter(group_ref=own).order_by("resident_ref", "first_month")) if own else []
    refs = {member.resident_ref for member in rows} or {resident_ref}
    years = {year.resident_ref: year for year in years_of(run.tax_year_id, sorted(refs), up_to_run=run.number)}
    return _people(rows, years) if rows else [person_of(years.get(resident_ref) or ResidentYear(resident_ref))]


def chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items in lists of `size`, the last one shorter."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk

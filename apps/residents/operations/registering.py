"""Entering residents, their households and their attributes in the register."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction
from psycopg.types.range import DateRange

from apps.audit.operations import record_event
from apps.merchants.models import Mode
from apps.residents.models import Attribute, Membership, Resident


@transaction.atomic
def register_residents(starts: Iterable[date], *, mode: Mode = Mode.LIVE, at: datetime, actor: str) -> list[Resident]:
    """A new resident for each first day of residence."""
    residents = Resident.objects.bulk_create([Resident(mode=mode, resident_from=start) for start in starts])
    record_event(at=at, actor=actor, action="resident.register", subject="residents", detail={"count": len(residents)})
    return residents


class Home(NamedTuple):
    """A resident's stay in a household, from the first of a month to before the first of another (None: open)."""

    resident_ref: UUID
    household_ref: UUID
    start: date
    end: date | None = None
    is_head: bool = False
    payee_ref: UUID | None = None


@transaction.atomic
def place_in_households(homes: Iterable[Home], *, at: datetime, actor: str) -> int:
    """Record who lives in which household from when to when. Returns how many stays.

    The database refuses a resident in two households at a time, and two heads of one.
    """
    rows = Membership.objects.bulk_create(
        Membership(
            resident_id=home.resident_ref, household_ref=home.household_ref, valid=DateRange(home.start, home.end),
            is_head=home.is_head, payee_id=home.payee_ref,
        )
        for home in homes
    )  # fmt: skip
    record_event(at=at, actor=actor, action="household.place", subject="households", detail={"count": len(rows)})
    return len(rows)


@transaction.atomic
def set_attributes(values: Iterable[tuple[UUID, str, int | str]], *, start: date, at: datetime, actor: str) -> int:
    """Record attributes (`attr_…`) of residents from a day on. Returns how many."""
    rows = Attribute.objects.bulk_create(
        Attribute(resident_id=ref, name=name, value=value, valid=DateRange(start, None)) for ref, name, value in values
    )
    record_event(at=at, actor=actor, action="attribute.set", subject="attributes", detail={"count": len(rows)})
    return len(rows)


def hold_register() -> None:
    """Let nobody change residents, households or attributes until the caller's transaction ends; reading goes on."""
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE residents_resident, residents_membership, residents_attribute IN SHARE MODE")

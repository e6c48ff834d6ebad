"""The parts of a resident's year: residence, households, and who is paid a child's share."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from functools import cache, partial
from typing import Final, NamedTuple
from uuid import UUID

from django.contrib.postgres.fields import DateRangeField
from django.db.models import Q, QuerySet, UUIDField
from psycopg.types.range import DateRange

from apps.kernel.database import Ask, Place, Row, Statement, sql_of
from apps.kernel.periods import Period, year_period
from apps.portal.parts import Parts, after_month, members_cap_minor, members_in, parts_of, pools, residence_days
from apps.refunds.models import Member, Run
from apps.residents.models import Membership
from apps.residents.months import Stretch, stretches
from apps.residents.queries.register import Residence, ask_residence, protected_among, residence_in
from apps.schemes.document import Scheme

SEEN: Final = Q(resident__is_protected=False)
Homes = dict[UUID, list[tuple[UUID, Period]]]


class Stay(NamedTuple):
    """That somebody was in a household, and which parent is paid their share, if one is."""

    household_ref: UUID
    resident_ref: UUID
    valid: DateRange
    payee_ref: UUID | None

    @property
    def period(self) -> Period:
        """The days of it."""
        return Period(self.valid.lower or date.min, self.valid.upper)


class Lived(NamedTuple):
    """A resident's stretches of a year, whether a parent is paid the share, and who else was in those households."""

    stretches: list[Stretch]
    has_payee: bool
    homes: Homes


def ask_parts(ref: UUID, year: int) -> tuple[Ask, Ask, Ask]:
    """What the register says of the resident's year, for `parts_of_year`."""
    days = year_period(year)
    of_year = (str(ref), f"[{days.start},{days.end})")
    return ask_residence(ref), Ask(_children(), of_year), Ask(_stays(), of_year)


def parts_of_year(
    ref: UUID, year: int, scheme: Scheme, run: Run | None, found: Sequence[Sequence[Row]]
) -> Parts | None:
    """The resident's parts of a year, from what `ask_parts` found, None for who is in no register.

    Households are those of the run that found the refund, as its freeze kept them: three queries; without a run, as
    they are now: none. Who is protected now is not counted among the members, nor among the children.
    """
    in_register, ((children,),), stays = found
    residence = residence_in(in_register)
    if residence is None:
        return None
    lived = _kept(ref, run, residence.spans) if run else _now(ref, year, residence, stays)
    members = partial(members_in, homes=lived.homes, year=year)
    cap_minor = members_cap_minor(scheme)
    return Parts(
        residence=residence_days(residence.spans, year),
        parts=parts_of(ref, lived.stretches, year, members=members, cap_minor=cap_minor),
        pools=pools(scheme),
        cap_minor=cap_minor,
        has_payee=lived.has_payee,
        children=children,
    )


def _kept(ref: UUID, run: Run, residence: Sequence[Period]) -> Lived:
    year = run.tax_year_id
    kept = Member.objects.filter(tax_year=year, run=run.number)
    own = list(kept.filter(resident_ref=ref).order_by("first_month"))
    rows = kept.filter(group_ref__in={row.group_ref for row in own})
    fields = list(rows.values_list("household_ref", "resident_ref", "first_month", "last_month"))
    hidden = protected_among({member for _, member, _, _ in fields}) - {ref}
    stays = (
        (home, member, Period(date(year, a, 1), after_month(year, b)))
        for home, member, a, b in fields
        if member not in hidden
    )
    found = [Stretch(row.household_ref, row.first_month, row.last_month) for row in own]
    has_payee = any(row.payee_ref for row in own)
    return Lived(found or stretches(ref, residence, [], year), has_payee, _by_home(stays))


def _now(ref: UUID, year: int, residence: Residence, rows: Sequence[Row]) -> Lived:
    stays = [] if residence.is_protected else [Stay(*row) for row in rows]
    own = [stay for stay in stays if stay.resident_ref == ref]
    periods = [(stay.period, stay.household_ref) for stay in own]
    has_payee = any(stay.payee_ref for stay in own)
    homes = _by_home((stay.household_ref, stay.resident_ref, stay.period) for stay in stays)
    return Lived(stretches(ref, residence.spans, periods, year), has_payee, homes)


@cache
def _stays() -> Statement:
    """Who was in the resident's households of a year, and when: those who may be seen."""
    ref = Place(1, UUIDField())
    homes = _in_year().filter(resident=ref).values("household_ref")
    seen = _in_year().filter(SEEN | Q(resident=ref), household_ref__in=homes)
    return Statement(sql_of(seen.order_by("valid").values_list("household_ref", "resident_id", "valid", "payee_id")))


@cache
def _children() -> Statement:
    """How many children's shares of a year are paid to the resident."""
    own = _in_year().filter(SEEN, payee=Place(1, UUIDField())).values("resident_id").distinct()
    return Statement(f"SELECT count(*) FROM ({sql_of(own)}) children")  # noqa: S608


def _by_home(stays: Iterable[tuple[UUID, UUID, Period]]) -> Homes:
    homes: Homes = defaultdict(list)
    for home, member, period in stays:
        homes[home].append((member, period))
    return homes


def _in_year() -> "QuerySet[Membership]":
    return Membership.objects.filter(valid__overlap=Place(2, DateRangeField()))

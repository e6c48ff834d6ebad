"""The parts of a resident's year: residence, households, and who is paid a child's share."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from functools import partial
from typing import Final, NamedTuple
from uuid import UUID

from django.db.models import Q, QuerySet
from psycopg.types.range import DateRange

from apps.kernel.periods import Period, year_period
from apps.portal.parts import Parts, after_month, members_cap_minor, members_in, parts_of, pools, residence_days
from apps.refunds.models import Member, Run
from apps.residents.models import Membership
from apps.residents.months import Stretch, stretches
from apps.residents.queries import days_of_residents
from apps.residents.queries.register import protected_among
from apps.schemes.document import Scheme

SEEN: Final = Q(resident__is_protected=False)
Homes = dict[UUID, list[tuple[UUID, Period]]]


class Lived(NamedTuple):
    """A resident's stretches of a year, whether a parent is paid the share, and who else was in those households."""

    stretches: list[Stretch]
    has_payee: bool
    homes: Homes


def parts_of_year(ref: UUID, year: int, scheme: Scheme, run: Run | None) -> Parts | None:
    """The resident's parts of a year, None for who is in no register: four queries, five with a run.

    Households are those of the run that found the refund, as its freeze kept them; without a run, as they are now.
    Who is protected now is not counted among the members, nor among the children.
    """
    days = days_of_residents([ref]).get(ref)
    if days is None:
        return None
    residence = [Period(*days[:2]), *(Period(*span) for span in days[2])]
    lived = _kept(ref, run, residence) if run else _now(ref, year, residence)
    members = partial(members_in, homes=lived.homes, year=year)
    cap_minor = members_cap_minor(scheme)
    return Parts(
        residence=residence_days(residence, year),
        parts=parts_of(ref, lived.stretches, year, members=members, cap_minor=cap_minor),
        pools=pools(scheme),
        cap_minor=cap_minor,
        has_payee=lived.has_payee,
        children=_in_year(year).filter(SEEN, payee=ref).values("resident_id").distinct().count(),
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


def _now(ref: UUID, year: int, residence: Sequence[Period]) -> Lived:
    homes = _in_year(year).filter(resident=ref).values("household_ref")
    seen = _in_year(year).filter(SEEN | Q(resident=ref), household_ref__in=homes)
    rows = [] if protected_among({ref}) else list(seen.order_by("valid"))
    own = [stay for stay in rows if stay.resident_id == ref]
    stays = ((row.household_ref, row.resident_id, Period(row.valid.lower, row.valid.upper)) for row in rows)
    periods = [(Period(stay.valid.lower, stay.valid.upper), stay.household_ref) for stay in own]
    has_payee = any(stay.payee_id for stay in own)
    return Lived(stretches(ref, residence, periods, year), has_payee, _by_home(stays))


def _by_home(stays: Iterable[tuple[UUID, UUID, Period]]) -> Homes:
    homes: Homes = defaultdict(list)
    for home, member, period in stays:
        homes[home].append((member, period))
    return homes


def _in_year(year: int) -> "QuerySet[Membership]":
    days = year_period(year)
    return Membership.objects.filter(valid__overlap=DateRange(days.start, days.end))

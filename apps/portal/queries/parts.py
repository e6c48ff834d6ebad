"""The parts of a resident's year: residence, households, and who is paid a child's share."""

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from uuid import UUID

from django.db.models import QuerySet
from psycopg.types.range import DateRange

from apps.kernel.periods import Period, year_period
from apps.portal.parts import Parts, members_cap_minor, members_in, parts_of, pools, residence_days
from apps.refunds.models import Member, Run
from apps.residents.models import Membership
from apps.residents.months import Stretch, stretches
from apps.residents.queries import days_of_residents
from apps.schemes.document import Scheme


def parts_of_year(ref: UUID, year: int, scheme: Scheme, run: Run | None) -> Parts | None:
    """The resident's parts of a year, None for who is in no register: four queries.

    Households are those of the run that found the refund, as its freeze kept them; without a run, as they are now.
    """
    days = days_of_residents([ref]).get(ref)
    if days is None:
        return None
    residence = [Period(*days[:2]), *(Period(*span) for span in days[2])]
    own, has_payee = _kept(ref, year, residence, run) if run else _now(ref, year, residence)
    homes: dict[UUID, list[tuple[UUID, Period]]] = defaultdict(list)
    rows = _in_year(year).filter(household_ref__in={stretch.household_ref for stretch in own})
    for home, member, valid in rows.values_list("household_ref", "resident_id", "valid"):
        homes[home].append((member, Period(valid.lower, valid.upper)))
    cap_minor = members_cap_minor(scheme)
    return Parts(
        residence=residence_days(residence, year),
        parts=parts_of(ref, own, year, members=partial(members_in, homes=homes, year=year), cap_minor=cap_minor),
        pools=pools(scheme),
        cap_minor=cap_minor,
        has_payee=has_payee,
        children=_in_year(year).filter(payee=ref).values("resident_id").distinct().count(),
    )


def _kept(ref: UUID, year: int, residence: Sequence[Period], run: Run) -> tuple[list[Stretch], bool]:
    rows = list(Member.objects.filter(resident_ref=ref, tax_year=year, run=run.number).order_by("first_month"))
    own = [Stretch(row.household_ref, row.first_month, row.last_month) for row in rows]
    return own or stretches(ref, residence, [], year), any(row.payee_ref for row in rows)


def _now(ref: UUID, year: int, residence: Sequence[Period]) -> tuple[list[Stretch], bool]:
    stays = list(_in_year(year).filter(resident=ref).order_by("valid"))
    homes = [(Period(stay.valid.lower, stay.valid.upper), stay.household_ref) for stay in stays]
    return stretches(ref, residence, homes, year), any(stay.payee_id for stay in stays)


def _in_year(year: int) -> "QuerySet[Membership]":
    days = year_period(year)
    return Membership.objects.filter(valid__overlap=DateRange(days.start, days.end))

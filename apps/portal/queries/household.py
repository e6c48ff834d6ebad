"""The household as a resident sees it: of whom something is shown, and sums of what is shown, never of more.

Every number is made from the rows of those who are shown; nobody else's are read. So nothing can be found by
subtraction: neither what a member without consent spent, nor that there is a protected one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from psycopg.types.range import DateRange

from apps.accruals.queries import ResidentYear, year_of_residents
from apps.audit.access import Access
from apps.audit.purposes import HOUSEHOLD
from apps.kernel.errors import KanpuError
from apps.kernel.periods import Period, year_period
from apps.portal.parts import pools
from apps.portal.queries.years import newest_year
from apps.refunds.queries.statements import assessment_so_far, newest_refunds
from apps.refunds.sharing import prorated
from apps.residents.models import Membership
from apps.residents.months import Stretch, stretches
from apps.residents.queries import days_of_residents
from apps.residents.queries.head_payments import HeadPayment, head_payment_of
from apps.residents.queries.households import Household, Housemate, household_of, period_of
from apps.residents.queries.vault import has_vault_keys, read_vault
from apps.schemes.document import Limit, Scheme
from apps.schemes.models import TaxYear
from apps.schemes.queries import started_years, tax_year

ACCESS: Final = Access(actor="resident", role="household", office="", purpose=HOUSEHOLD)


class NoYear(KanpuError):
    """No tax year was started."""

    code = "year_not_started"


@dataclass(frozen=True, slots=True)
class Row:
    """A member who is shown: the resident, or another by name (empty where the vault has none); amounts in minor units.

    `is_found`: a year's end has found the refund. `cap_minor` is what the member brings to the pooled limit; None where
    the scheme pools none by members, and for a child of another household.
    """

    mate: Housemate
    name: str
    is_own: bool
    spend_minor: int
    refund_minor: int
    is_found: bool
    cap_minor: int | None


@dataclass(frozen=True, slots=True)
class Together:
    """The pooled limit as far as it is the household's shown members', and what of their refunds goes towards it.

    `of_household`: the limit is the same however many members there are.
    """

    cap_minor: int
    refund_minor: int
    of_household: bool

    @property
    def used_permille(self) -> int:
        """How much of the limit that is, of 1,000 at most."""
        return min(self.refund_minor * 1000 // self.cap_minor, 1000) if self.cap_minor else 0


@dataclass(frozen=True, slots=True)
class HouseholdPage:
    """A resident's household in a year. `together` is None where the scheme pools nothing that can be summed up."""

    year: int
    years: tuple[int, ...]
    scheme: Scheme
    household: Household
    rows: tuple[Row, ...]
    pools: bool
    together: Together | None
    head_payment: HeadPayment | None

    @property
    def has_children(self) -> bool:
        """Whether a share of another is paid to the resident, who can act for that child."""
        return any(row.mate.is_child for row in self.rows)


def household_page(ref: UUID, *, year: int | None, at: datetime) -> HouseholdPage:
    """The own household now, with a year's amounts: a fixed number of queries, and a few to read names.

    That names and amounts are shown is put on record for each member first. Not inside a transaction. Raises NoYear,
    YearNotStarted, Resident.DoesNotExist, and what `read_vault` raises.
    """
    years = tuple(row.year for row in started_years())
    chosen = year or newest_year(ref)
    if chosen is None:
        raise NoYear("No tax year was started.")
    row = tax_year(chosen)
    scheme = row.scheme_version.scheme()
    household = household_of(ref, at=at)
    shown = [mate for mate in household.shown if mate.ref == ref or mate.stay.overlap(year_period(chosen))]
    names = names_of([mate.ref for mate in shown if mate.ref != ref], at)
    rows = tuple(_rows(ref, shown, names, row))
    of_home = [] if household.is_protected else [one for one in rows if one.mate.household_ref == _home_of(ref, shown)]
    return HouseholdPage(
        chosen, years, scheme, household, rows, pools(scheme), _together(of_home, scheme), head_payment_of(ref, at=at)
    )


def names_of(others: list[UUID], at: datetime) -> Mapping[UUID, str]:
    """Members' names. By reading them, that the page is opened is on record for each of them."""
    if not others or not has_vault_keys():
        return {}
    found = read_vault(others, ("person",), access=ACCESS, at=at)
    return {other: identity.person.name for other, identity in found.items() if identity.person}


def _home_of(ref: UUID, shown: list[Housemate]) -> UUID | None:
    return next((mate.household_ref for mate in shown if mate.ref == ref), None)


def _rows(ref: UUID, shown: list[Housemate], names: Mapping[UUID, str], year: TaxYear) -> Iterator[Row]:
    refs, home = [mate.ref for mate in shown], _home_of(ref, shown)
    bought, refunds = year_of_residents(refs, year.year), newest_refunds(refs, year.year)
    caps = _caps([mate.ref for mate in shown if mate.household_ref == home], home, year)
    for mate in shown:
        spent = bought.get(mate.ref) or ResidentYear(mate.ref)
        found = refunds.get(mate.ref)
        yield Row(
            mate=mate,
            name=names.get(mate.ref, ""),
            is_own=mate.ref == ref,
            spend_minor=sum(sum(months) for months in spent.spend.values()),
            refund_minor=found.entitled_minor if found else assessment_so_far(spent, year)[1].refund_minor,
            is_found=found is not None,
            cap_minor=caps.get(mate.ref),
        )


def _pooled(scheme: Scheme) -> Limit | None:
    """The yearly limit of a household or its members, where it is an amount."""
    limits = (limit for limit in scheme.refund.limits if limit.per == "year" and limit.unit != "person")
    return next((limit for limit in limits if limit.cap and limit.cap.amount is not None), None)


def _caps(refs: list[UUID], home: UUID | None, year: TaxYear) -> dict[UUID, int]:
    """What each of the household's members brings to a limit by members, by months for who moved: two queries."""
    limit = _pooled(year.scheme_version.scheme())
    if limit is None or limit.unit != "members" or limit.cap is None:
        return {}
    days, rows = days_of_residents(refs), _stays_in(refs, year.year)
    found = {}
    for ref in refs:
        own = [(period_of(row.valid), row.household_ref) for row in rows if row.resident_id == ref]
        residence = [Period(*days[ref][:2]), *(Period(*span) for span in days[ref][2])]
        found[ref] = _part(limit.cap.amount or 0, stretches(ref, residence, own, year.year), home)
    return found


def _part(amount: int, lived: list[Stretch], home: UUID | None) -> int:
    homes = [stay.household_ref for stay in lived for _ in range(stay.first_month, stay.last_month + 1)]
    return prorated(amount, [place for place, there in enumerate(homes, start=1) if there == home], len(homes))


def _stays_in(refs: list[UUID], year: int) -> list[Membership]:
    whole = DateRange(date(year, 1, 1), date(year + 1, 1, 1))
    return list(Membership.objects.filter(resident__in=refs, valid__overlap=whole).order_by("valid"))


def _together(of_home: list[Row], scheme: Scheme) -> Together | None:
    limit = _pooled(scheme)
    if limit is None or limit.cap is None or not of_home:
        return None
    refund_minor = sum(row.refund_minor for row in of_home)
    if limit.unit == "household":
        return Together(limit.cap.amount or 0, refund_minor, of_household=True)
    return Together(sum(row.cap_minor or 0 for row in of_home), refund_minor, of_household=False)

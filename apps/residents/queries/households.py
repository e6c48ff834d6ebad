"""Who belongs to a resident's household now, and who of them shows something to the resident.

A protected resident's row is never read for another: no count and no sum can tell of one.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.db.models import Q
from django.utils import timezone
from psycopg.types.range import DateRange

from apps.kernel.periods import Period
from apps.residents.models import HouseholdConsent, Membership, Resident
from apps.residents.seeing import is_seen, unbroken


@dataclass(frozen=True, slots=True)
class Housemate:
    """Somebody whose spend and refund the resident may see: the resident, a consenting adult, a child paid to them."""

    ref: UUID
    household_ref: UUID
    stay: Period
    is_head: bool
    is_child: bool


@dataclass(frozen=True, slots=True)
class Household:
    """The resident's household now. `shown` begins with the resident; of the `others` nothing is known but how many.

    `own` is the resident's stay, None for who lives alone. `consented_at`: since when the others see the resident, None
    where they do not. A protected resident is shown the own children and nobody else.
    """

    own: Period | None
    is_head: bool
    is_protected: bool
    has_payee: bool
    consented_at: datetime | None
    shown: tuple[Housemate, ...]
    others: int

    @property
    def may_consent(self) -> bool:
        """Whether the resident can let others see."""
        return self.own is not None and not self.has_payee and not self.is_protected


def household_of(ref: UUID, *, at: datetime) -> Household:
    """The household that a resident sees: four queries. Raises Resident.DoesNotExist."""
    today = timezone.localdate(at)
    is_protected = Resident.objects.values_list("is_protected", flat=True).get(pk=ref)
    own = Membership.objects.filter(resident=ref, valid__contains=today).first()
    home = own.household_ref if own else ref  # who is in none has the own reference, in which nobody else is
    stays = _stays(ref, home, with_others=not is_protected)
    given = HouseholdConsent.objects.filter(resident__in=list(stays), household_ref=home, valid__contains=at)
    consents = dict(given.values_list("resident_id", "valid__startswith"))
    mates = [_mate(ref, row, rows, today) for rows in stays.values() for row in rows if today in period_of(row.valid)]
    seen = {mate.ref for mate in mates if _is_seen(consents.get(mate.ref), mate.stay, at)}
    shown = [mate for mate in mates if mate.ref == ref or mate.is_child or mate.ref in seen]
    return Household(
        own=next((mate.stay for mate in mates if mate.ref == ref), None),
        is_head=own is not None and own.is_head,
        is_protected=is_protected,
        has_payee=own is not None and own.payee_id is not None,
        consented_at=consents[ref] if ref in seen and not is_protected else None,
        shown=tuple(sorted(shown, key=lambda mate: (mate.ref != ref, mate.is_child, mate.stay.start, mate.ref))),
        others=len(mates) - len(shown),
    )


def period_of(valid: DateRange) -> Period:
    """A membership's days."""
    return Period(valid.lower or date.min, valid.upper)


def _stays(ref: UUID, home: UUID, *, with_others: bool) -> dict[UUID, list[Membership]]:
    """The stays in the household, and the resident's children wherever they live, by member; one household each."""
    of_home = Q(household_ref=home) if with_others else Q(household_ref=home, resident=ref)
    seen = Q(resident__is_protected=False) | Q(resident=ref)
    stays: dict[UUID, list[Membership]] = defaultdict(list)
    for row in Membership.objects.filter(seen, of_home | Q(payee=ref)):
        stays[row.resident_id].append(row)
    return stays


def _mate(ref: UUID, row: Membership, rows: Iterable[Membership], today: date) -> Housemate:
    """Somebody by the row of today, with the days in that household without a break."""
    there = [period_of(other.valid) for other in rows if other.household_ref == row.household_ref]
    stay = unbroken(there, today) or period_of(row.valid)
    return Housemate(row.resident_id, row.household_ref, stay, row.is_head, row.payee_id == ref)


def _is_seen(consented_at: datetime | None, stay: Period, at: datetime) -> bool:
    on = timezone.localdate(at)
    return consented_at is not None and is_seen([stay], timezone.localdate(consented_at), on)

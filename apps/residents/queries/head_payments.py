"""Which households' refunds go to their heads, because every adult of them agreed."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.utils import timezone

from apps.residents.models import HeadPaymentConsent, Membership
from apps.residents.paying_together import Adult, agreeing, head_of, paid_head
from apps.residents.queries.households import period_of


@dataclass(frozen=True, slots=True)
class Household:
    """The adults of a household now, and the days on which others left it. Protected ones are in neither."""

    ref: UUID
    adults: tuple[Adult, ...]
    left: tuple[date, ...]


@dataclass(frozen=True, slots=True)
class HeadPayment:
    """Whether refunds of a resident's household go to its head, how many adults agree, and since when the resident."""

    household_ref: UUID
    head_ref: UUID
    adults: tuple[UUID, ...]
    given: int
    is_head: bool
    agreed_at: datetime | None

    @property
    def in_force(self) -> bool:
        """Whether all agree."""
        return self.given == len(self.adults)


def heads_paid(refs: Collection[UUID], *, at: datetime) -> dict[UUID, UUID]:
    """For the adults among these residents whose refunds go to another, who that is: four queries, two without any."""
    today = timezone.localdate(at)
    own = _adults_of(refs, today)
    agreed = HeadPaymentConsent.objects.filter(household_ref__in=set(own.values()), valid__contains=at)
    homes = set(agreed.values_list("household_ref", flat=True).distinct()) if own else set()
    paid = {home.ref: paid_head(home.adults, home.left, today) for home in _households(homes, at)}
    found = {ref: paid.get(home) for ref, home in own.items()}
    return {ref: head for ref, head in found.items() if head and head != ref}


def head_payment_of(ref: UUID, *, at: datetime) -> HeadPayment | None:
    """The same of a resident's household, None where there are not two adults and a head: three queries."""
    today = timezone.localdate(at)
    home_ref = _adults_of([ref], today).get(ref)
    home = next(iter(_households({home_ref}, at)), None) if home_ref else None
    head = head_of(home.adults) if home else None
    if home is None or head is None or len(home.adults) < 2:
        return None
    given = HeadPaymentConsent.objects.filter(resident=ref, household_ref=home.ref, head=head, valid__contains=at)
    mine = next(one for one in home.adults if one.ref == ref)
    last = max((day for day in home.left if day <= today), default=date.min)
    counts = mine.agreed_on is not None and mine.agreed_on >= last and mine.agrees(head, today)
    agreed_at = given.values_list("valid__startswith", flat=True).first() if counts else None
    refs = tuple(one.ref for one in home.adults)
    return HeadPayment(home.ref, head, refs, agreeing(home.adults, home.left, today), head == ref, agreed_at)


def _adults_of(refs: Collection[UUID], today: date) -> dict[UUID, UUID]:
    """The households of those of these residents who are adults and not hidden from theirs."""
    stays = Membership.objects.filter(resident__in=list(refs), valid__contains=today, payee=None)
    return dict(stays.filter(resident__is_protected=False).values_list("resident_id", "household_ref"))


def _households(refs: Collection[UUID], at: datetime) -> list[Household]:
    today = timezone.localdate(at)
    rows: dict[UUID, dict[UUID, list[Membership]]] = defaultdict(lambda: defaultdict(list))
    stays = Membership.objects.filter(household_ref__in=list(refs), resident__is_protected=False)
    for row in stays.order_by("resident", "valid"):
        rows[row.household_ref][row.resident_id].append(row)
    given = HeadPaymentConsent.objects.filter(household_ref__in=list(refs), valid__contains=at)
    consents = {(row.household_ref, row.resident_id): row for row in given} if rows else {}
    return [_household(ref, of_home, consents, today) for ref, of_home in rows.items()]


def _household(
    ref: UUID,
    members: dict[UUID, list[Membership]],
    consents: dict[tuple[UUID, UUID], HeadPaymentConsent],
    today: date,
) -> Household:
    adults, left = [], []
    for member, stays in members.items():
        now = next((row for row in stays if today in period_of(row.valid)), None)
        if now is None:
            left += [row.valid.upper for row in stays if row.payee_id is None and row.valid.upper]
        elif now.payee_id is None:
            given = consents.get((ref, member))
            since = timezone.localdate(given.valid.lower) if given else None
            periods = tuple(period_of(row.valid) for row in stays)
            adults.append(Adult(member, now.is_head, periods, given.head_id if given else None, since))
    return Household(ref, tuple(adults), tuple(left))

"""What the register says of the resident who signed in."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db.models import Q
from django.utils import timezone
from psycopg.types.range import DateRange

from apps.kernel.periods import Period
from apps.portal.queries.accesses import OWN_ACCESS
from apps.residents.models import Membership, RegisterEvent, Resident, VaultRecord
from apps.residents.queries.vault import read_vault
from apps.residents.vault.contents import Identity


@dataclass(frozen=True, slots=True)
class Home:
    """A stay in a household from a day to before another (None: still), and how many belonged to it meanwhile."""

    start: date
    end: date | None
    is_head: bool
    members: int
    has_payee: bool


@dataclass(frozen=True, slots=True)
class Registration:
    """Who the resident is (None where the vault has nothing), residence, homes and events, the newest first.

    The address of a protected resident is left out: others of the household may look over the shoulder.
    """

    resident: Resident
    identity: Identity | None
    was_erased: bool
    homes: list[Home]
    events: list[RegisterEvent]


def own_registration(ref: UUID) -> Registration:
    """The resident's own registration. Raises Resident.DoesNotExist and what `read_vault` raises."""
    resident = Resident.objects.get(pk=ref)
    columns = ("person",) if resident.is_protected else ("person", "address")
    identity = read_vault([ref], columns, access=OWN_ACCESS, at=timezone.now()).get(ref)
    events = RegisterEvent.objects.filter(resident=ref).order_by("-effective_date", "-pk")
    was_erased = identity is None and VaultRecord.objects.filter(resident=ref, erased_at__isnull=False).exists()
    return Registration(resident, identity, was_erased, _homes(ref), list(events))


def _homes(ref: UUID) -> list[Home]:
    stays = list(Membership.objects.filter(resident=ref).order_by("-valid"))
    members = _members(stays)
    return [
        Home(stay.valid.lower, stay.valid.upper, stay.is_head, members[stay.pk], stay.payee_id is not None)
        for stay in stays
    ]


def _members(stays: Iterable[Membership]) -> dict[int, int]:
    """How many belonged to the household of each stay at some time of it, other than protected ones: one query."""
    refs_of: dict[int, set[UUID]] = defaultdict(set)
    homes, own = {stay.household_ref for stay in stays}, {stay.resident_id for stay in stays}
    seen = Q(resident__is_protected=False) | Q(resident__in=own)
    for home, valid, ref in Membership.objects.filter(seen, household_ref__in=homes).values_list(
        "household_ref", "valid", "resident_id"
    ):
        for stay in stays:
            if stay.household_ref == home and _period(stay.valid).overlap(_period(valid)):
                refs_of[stay.pk].add(ref)
    return {pk: len(refs) for pk, refs in refs_of.items()}


def _period(valid: DateRange) -> Period:
    return Period(valid.lower or date.min, valid.upper)

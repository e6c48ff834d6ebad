"""What offices see of one resident beside the vault and cards: households, register events, letters, a pause."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce

from apps.residents.models import Membership, Notice, RecordingPause, RegisterEvent

ROWS: Final = 100  # of a list, the newest


@dataclass(frozen=True, slots=True)
class Home:
    """A stay in a household, to before `until` (None: it goes on); of the others who were there, only how many."""

    start: date
    until: date | None
    is_head: bool
    others: int


def homes_of(resident_ref: UUID) -> list[Home]:
    """The resident's stays in households, the newest first: one query."""
    others = (
        Membership.objects.filter(household_ref=OuterRef("household_ref"), valid__overlap=OuterRef("valid"))
        .exclude(resident=resident_ref)
        .order_by()
        .values("household_ref")
        .annotate(count=Count("resident", distinct=True))
        .values("count")
    )
    stays = Membership.objects.filter(resident=resident_ref).annotate(others=Coalesce(Subquery(others), 0))
    return [
        Home(stay.valid.lower, stay.valid.upper, stay.is_head, stay.others) for stay in stays.order_by("-valid")[:ROWS]
    ]


def register_events_of(resident_ref: UUID) -> list[RegisterEvent]:
    """What changed about the resident, the newest first: one query."""
    events = RegisterEvent.objects.filter(resident=resident_ref)
    return list(events.order_by("-effective_date", "-pk")[:ROWS])


def notices_of(resident_ref: UUID) -> list[Notice]:
    """The letters that were printed for the resident, the newest first: one query."""
    return list(Notice.objects.filter(resident=resident_ref).exclude(printed_at=None).order_by("-printed_at")[:ROWS])


def printed_notice(notice_id: int) -> Notice | None:
    """The letter of that number, if it was printed: one query."""
    return Notice.objects.filter(pk=notice_id).exclude(printed_at=None).first()


def paused_since(resident_ref: UUID) -> datetime | None:
    """Since when the resident's purchases are not recorded, if they are not: one query."""
    paused = RecordingPause.objects.filter(resident=resident_ref, valid__upper_inf=True).first()
    return paused.valid.lower if paused else None

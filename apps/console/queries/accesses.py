"""Who of staff looked at residents' data, for auditors: a day by office and actor, and one actor's day."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final, NamedTuple

from django.core.paginator import Page, Paginator
from django.db.models import Count, QuerySet
from django.utils import timezone

from apps.audit.models import AccessRecord

ACTORS: Final = 200  # of a day, those who opened the most residents
ACCESSES_A_PAGE: Final = 50
RESIDENTS: Final = ("resident", "proxy", "namer", "household")  # who looks in the portal, at the own data or another's


class ActorDay(NamedTuple):
    """How many different residents somebody looked at in a day, and how often."""

    office: str
    role: str
    actor: str
    residents: int
    accesses: int


@dataclass(frozen=True, slots=True)
class DayPage:
    """A day's actors, those with the most residents first. `after` is None on the last day there is."""

    day: date
    before: date
    after: date | None
    actors: tuple[ActorDay, ...]


@dataclass(frozen=True, slots=True)
class ActorPage:
    """One page of what an actor looked at in a day, the newest first."""

    day: date
    actor: str
    page: "Page[AccessRecord]"


def day_page(day: date) -> DayPage:
    """One query."""
    rows = (
        _of_day(day)
        .values_list("office", "role", "actor")
        .annotate(residents=Count("resident_ref", distinct=True), accesses=Count("pk"))
        .order_by("-residents", "-accesses", "actor")[:ACTORS]
    )
    after = day + timedelta(days=1) if day < timezone.localdate() else None
    return DayPage(day, day - timedelta(days=1), after, tuple(ActorDay(*row) for row in rows))


def actor_page(day: date, actor: str, *, page: str | None) -> ActorPage:
    """Two queries."""
    accesses = _of_day(day).filter(actor=actor).order_by("-at", "-pk")
    return ActorPage(day, actor, Paginator(accesses, ACCESSES_A_PAGE).get_page(page))


def _of_day(day: date) -> "QuerySet[AccessRecord, Any]":
    start = datetime.combine(day, time(), timezone.get_current_timezone())
    of_day = AccessRecord.objects.filter(at__gte=start, at__lt=start + timedelta(days=1))
    return of_day.exclude(role__in=RESIDENTS)

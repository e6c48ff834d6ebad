"""Who asks to see a resident beyond their role, whose notices are delayed, and whose keys are lost."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import Q, QuerySet

from apps.audit.models import BreakGlass, KeyReset, NoticeDelay
from apps.audit.officers import Role, Standing

PAST: Final = 50  # of those that are over, the newest


@dataclass(frozen=True, slots=True)
class GlassPage:
    """Requests that wait for a second officer, what is open now, and the newest of what is over."""

    waiting: tuple[BreakGlass, ...]
    open: tuple[BreakGlass, ...]
    over: tuple[BreakGlass, ...]


@dataclass(frozen=True, slots=True)
class DelaysPage:
    """Delays that are asked for or hold, and the newest of those that are over."""

    now: tuple[NoticeDelay, ...]
    over: tuple[NoticeDelay, ...]


def glasses_for(standing: Standing, actor: str) -> "QuerySet[BreakGlass]":
    """Auditors see all, officers for protected residents those of their office, others their own."""
    if Role.AUDITOR in standing.roles:
        return BreakGlass.objects.all()
    own = Q(asked_by=actor)
    return BreakGlass.objects.filter(own | Q(office=standing.office) if standing.opens_protected else own)


def glass_page(standing: Standing, actor: str, *, at: datetime) -> GlassPage:
    """Three queries."""
    found = glasses_for(standing, actor)
    waiting = Q(approved_at=None, ended_at=None)
    is_open = Q(approved_at__isnull=False, ended_at=None, ends_at__gt=at)
    return GlassPage(
        tuple(found.filter(waiting).order_by("asked_at")),
        tuple(found.filter(is_open).order_by("ends_at")),
        tuple(found.exclude(waiting | is_open).order_by("-asked_at")[:PAST]),
    )


def delays_page(*, at: datetime) -> DelaysPage:
    """Two queries."""
    now = NoticeDelay.objects.filter(ends_at__gt=at).order_by("asked_at")
    return DelaysPage(tuple(now), tuple(NoticeDelay.objects.filter(ends_at__lte=at).order_by("-ends_at")[:PAST]))


def waiting_resets() -> "QuerySet[KeyReset]":
    """Whose keys are to be removed: one query."""
    return KeyReset.objects.filter(approved_at=None).select_related("user").order_by("asked_at")

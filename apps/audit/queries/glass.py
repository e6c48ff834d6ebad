"""Which residents an officer sees beyond their role, for now."""

from datetime import datetime
from uuid import UUID

from apps.audit.models import BreakGlass


def open_glass(actor: str, resident_ref: UUID, *, at: datetime) -> BreakGlass | None:
    """What lets this officer see this resident now: one query."""
    found = BreakGlass.objects.filter(resident_ref=resident_ref, asked_by=actor, approved_at__lte=at)
    return found.filter(ends_at__gt=at, ended_at=None).order_by("-ends_at").first()

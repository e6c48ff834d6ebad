"""Which residents an officer has opened, and for what purpose: kept in the session for a quarter of an hour.

The session holds random references and purposes, never what a resident was found by.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone

from apps.audit.access import Access
from apps.audit.models import BreakGlass
from apps.audit.queries.glass import open_glass
from apps.console.guard import actor_of, role_in, standing_in

KEPT: Final = "opened"
SEARCHING: Final = "searching"
OPEN_FOR: Final = timedelta(minutes=15)
ENTRY: Final = 5  # role, purpose, case, whether glass was broken, until when


def access_for(request: HttpRequest, *, purpose: str, case: str) -> Access:
    """Who of staff is about to look, and why."""
    return Access(actor_of(request), role_in(request), standing_in(request).office, purpose, case)


def keep_open(request: HttpRequest, opened: UUID | str, access: Access, *, glass_until: datetime | None = None) -> None:
    """Let the officer go on with this resident, or with what is named so (an alarm's residents), for the same purpose.

    Whatever has run out is forgotten. With `glass_until` only while the officer has glass broken for the resident.
    """
    until = min(timezone.now() + OPEN_FOR, glass_until or datetime.max.replace(tzinfo=UTC))
    kept = {ref: entry for ref, entry in request.session.get(KEPT, {}).items() if _is_good(entry)}
    entry = [access.role, access.purpose, access.case, bool(glass_until), until.isoformat()]
    request.session[KEPT] = kept | {str(opened): entry}


def close(request: HttpRequest, resident_ref: UUID) -> None:
    """Forget the resident."""
    kept = dict(request.session.get(KEPT, {}))
    kept.pop(str(resident_ref), None)
    request.session[KEPT] = kept


def access_to(request: HttpRequest, opened: UUID | str) -> Access | None:
    """For what the officer has opened this resident, or what is named so; None when that was not, or has run out."""
    entry = request.session.get(KEPT, {}).get(str(opened))
    if entry is None or not _is_good(entry):
        return None
    role, purpose, case, by_glass, _ = entry
    if by_glass and glass_for(request, UUID(str(opened))) is None:
        return None
    return access_for(request, purpose=purpose, case=case) if role == role_in(request) else None


def glass_for(request: HttpRequest, resident_ref: UUID) -> BreakGlass | None:
    """What lets the officer see this resident beyond their role now: to read only."""
    return open_glass(actor_of(request), resident_ref, at=timezone.now())


def may_read(request: HttpRequest, resident_ref: UUID) -> bool:
    """Whether the officer may read what of the resident is for named officers, should the resident be protected."""
    return standing_in(request).opens_protected or glass_for(request, resident_ref) is not None


def open_until(request: HttpRequest, resident_ref: UUID) -> datetime:
    """Until when a resident stays open. Only for one that is."""
    return datetime.fromisoformat(request.session[KEPT][str(resident_ref)][-1])


def keep_searching(request: HttpRequest, access: Access) -> None:
    """Let the officer search for the same purpose; it holds for the searches of a quarter of an hour."""
    until = timezone.now() + OPEN_FOR
    request.session[SEARCHING] = [access.role, access.purpose, access.case, False, until.isoformat()]


def access_to_search(request: HttpRequest) -> Access | None:
    """For what the officer searches among residents, or None when it was not said or has run out."""
    entry = request.session.get(SEARCHING)
    if entry is None or not _is_good(entry):
        return None
    role, purpose, case, *_ = entry
    return access_for(request, purpose=purpose, case=case) if role == role_in(request) else None


def _is_good(entry: list[Any]) -> bool:
    return len(entry) == ENTRY and datetime.fromisoformat(entry[-1]) > timezone.now()

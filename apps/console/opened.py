"""Which residents an officer has opened, and for what purpose: kept in the session for a quarter of an hour.

The session holds random references and purposes, never what a resident was found by.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone

from apps.audit.access import Access
from apps.console.guard import actor_of, role_in, standing_in

KEPT: Final = "opened"
SEARCHING: Final = "searching"
OPEN_FOR: Final = timedelta(minutes=15)


def access_for(request: HttpRequest, *, purpose: str, case: str) -> Access:
    """Who of staff is about to look, and why."""
    return Access(actor_of(request), role_in(request), standing_in(request).office, purpose, case)


def keep_open(request: HttpRequest, resident_ref: UUID, access: Access) -> None:
    """Let the officer go on with this resident for the same purpose; whatever has run out is forgotten."""
    until = timezone.now() + OPEN_FOR
    kept = {ref: entry for ref, entry in request.session.get(KEPT, {}).items() if _is_good(entry)}
    request.session[KEPT] = kept | {str(resident_ref): [access.role, access.purpose, access.case, until.isoformat()]}


def close(request: HttpRequest, resident_ref: UUID) -> None:
    """Forget the resident."""
    kept = dict(request.session.get(KEPT, {}))
    kept.pop(str(resident_ref), None)
    request.session[KEPT] = kept


def access_to(request: HttpRequest, resident_ref: UUID) -> Access | None:
    """For what the officer has opened this resident, or None when it was not opened or has run out."""
    entry = request.session.get(KEPT, {}).get(str(resident_ref))
    if entry is None or not _is_good(entry):
        return None
    role, purpose, case, _ = entry
    return access_for(request, purpose=purpose, case=case) if role == role_in(request) else None


def open_until(request: HttpRequest, resident_ref: UUID) -> datetime:
    """Until when a resident stays open. Only for one that is."""
    return datetime.fromisoformat(request.session[KEPT][str(resident_ref)][-1])


def keep_searching(request: HttpRequest, access: Access) -> None:
    """Let the officer search for the same purpose; it holds for the searches of a quarter of an hour."""
    until = timezone.now() + OPEN_FOR
    request.session[SEARCHING] = [access.role, access.purpose, access.case, until.isoformat()]


def access_to_search(request: HttpRequest) -> Access | None:
    """For what the officer searches among residents, or None when it was not said or has run out."""
    entry = request.session.get(SEARCHING)
    if entry is None or not _is_good(entry):
        return None
    role, purpose, case, _ = entry
    return access_for(request, purpose=purpose, case=case) if role == role_in(request) else None


def _is_good(entry: list[str]) -> bool:
    return datetime.fromisoformat(entry[-1]) > timezone.now()

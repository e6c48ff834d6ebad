"""What residents choose in the portal: whether purchases are recorded."""

from datetime import datetime

from django.contrib.auth.models import AnonymousUser, User

from apps.portal.operations.decisions import ACTOR
from apps.portal.queries.accounts import resident_of
from apps.residents.operations.recording import pause_recording, resume_recording


def set_recording(user: User | AnonymousUser, *, recorded: bool, at: datetime) -> None:
    """Record the resident's purchases from now on, or do not. Raises NoAccount."""
    (resume_recording if recorded else pause_recording)(resident_of(user), at=at, actor=ACTOR)

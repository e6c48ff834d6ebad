"""What the resident chose."""

from django.contrib.auth.models import AnonymousUser, User

from apps.portal.queries.accounts import resident_of
from apps.residents.models import RecordingPause


def own_pauses(user: User | AnonymousUser) -> list[RecordingPause]:
    """The times in which nothing is recorded, the newest first. Raises NoAccount."""
    return list(RecordingPause.objects.filter(resident=resident_of(user)).order_by("-valid"))

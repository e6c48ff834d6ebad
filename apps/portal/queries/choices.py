"""What the resident chose."""

from uuid import UUID

from apps.residents.models import RecordingPause


def own_pauses(ref: UUID) -> list[RecordingPause]:
    """The times in which nothing is recorded, the newest first."""
    return list(RecordingPause.objects.filter(resident=ref).order_by("-valid"))

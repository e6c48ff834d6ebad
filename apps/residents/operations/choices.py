"""What residents choose: whether their purchases are recorded."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from psycopg.types.range import TimestamptzRange

from apps.audit.operations import record_event
from apps.residents.models import RecordingPause, Resident


@transaction.atomic
def pause_recording(resident_ref: UUID, *, at: datetime, actor: str) -> RecordingPause:
    """From now on purchases count for nothing and leave no trace of the resident. A pause that is on stays as it is."""
    Resident.objects.select_for_update().get(pk=resident_ref)
    pause = _open_pause(resident_ref)
    if pause is None:
        pause = RecordingPause.objects.create(resident_id=resident_ref, valid=TimestamptzRange(at, None))
        record_event(at=at, actor=actor, action="recording.pause", subject=f"resident:{resident_ref}", detail={})
    return pause


@transaction.atomic
def resume_recording(resident_ref: UUID, *, at: datetime, actor: str) -> None:
    """From now on purchases are recorded again. What was bought during the pause stays unknown."""
    Resident.objects.select_for_update().get(pk=resident_ref)
    pause = _open_pause(resident_ref)
    if pause is not None:
        pause.valid = TimestamptzRange(pause.valid.lower, at)
        pause.save(update_fields=["valid"])
        record_event(at=at, actor=actor, action="recording.resume", subject=f"resident:{resident_ref}", detail={})


def _open_pause(resident_ref: UUID) -> RecordingPause | None:
    return RecordingPause.objects.filter(resident=resident_ref, valid__upper_inf=True).first()

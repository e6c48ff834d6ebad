"""Pausing the recording of purchases, and going on with it: from now on only, never for what was bought before."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from psycopg.types.range import TimestamptzRange

from apps.audit.operations import record_event
from apps.residents.models import RecordingPause, Resident
from apps.residents.operations.judging_due import judge_again


@transaction.atomic
def pause_recording(resident_ref: UUID, *, at: datetime, actor: str) -> RecordingPause:
    """Have nothing recorded of what the resident buys from now on; once paused, it stays as it is.

    What is bought now and counted before this is known is judged again, and erased.
    """
    pause = _open_pause(resident_ref)
    if pause is None:
        pause = RecordingPause.objects.create(resident_id=resident_ref, valid=TimestamptzRange(at, None))
        judge_again([resident_ref], since=at, at=at)
        record_event(
            at=at, actor=actor, action="recording.pause", subject=f"resident:{resident_ref}", detail={},
            before={"paused_since": None}, after={"paused_since": at},
        )  # fmt: skip
    return pause


@transaction.atomic
def resume_recording(resident_ref: UUID, *, at: datetime, actor: str) -> None:
    """Have purchases recorded again from now on; where they are, it stays so."""
    pause = _open_pause(resident_ref)
    if pause is None:
        return
    since = pause.valid.lower
    if pause.valid.lower and pause.valid.lower < at:
        pause.valid = TimestamptzRange(pause.valid.lower, at)
        pause.save(update_fields=["valid"])
    else:
        pause.delete()
    record_event(
        at=at, actor=actor, action="recording.resume", subject=f"resident:{resident_ref}", detail={},
        before={"paused_since": since}, after={"paused_since": None},
    )  # fmt: skip


def _open_pause(resident_ref: UUID) -> RecordingPause | None:
    Resident.objects.select_for_update().get(pk=resident_ref)  # one at a time
    return RecordingPause.objects.filter(resident=resident_ref, valid__upper_inf=True).first()

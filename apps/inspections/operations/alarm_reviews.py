"""What auditors make of alarms: looked at, dismissed with a reason, or taken into a case."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

from django.db import transaction

from apps.audit.models import Alarm
from apps.audit.operations import record_event
from apps.inspections.models import AlarmReview, Case
from apps.inspections.operations.cases import open_from_alarm
from apps.kernel.errors import KanpuError

State = AlarmReview.State


class AlarmNotOpen(KanpuError):
    """The alarm is dismissed or in a case already, or there is none to dismiss."""

    code = "alarm_not_open"


@transaction.atomic
def look_at(alarm: Alarm, *, at: datetime, actor: str) -> None:
    """Note that an auditor has looked at a new alarm. Raises AlarmNotOpen."""
    _of_state(alarm.pk, None)
    AlarmReview.objects.create(alarm=alarm, state=State.LOOKED_AT, by=actor, at=at)
    record_event(at=at, actor=actor, action="alarm.look", subject=f"alarm:{alarm.pk}", detail={})


@transaction.atomic
def dismiss(alarm_ids: Sequence[int], *, reason: str, at: datetime, actor: str) -> UUID:
    """Dismiss the alarms among these that are new or looked at. Returns what undoes it. Raises AlarmNotOpen."""
    if not reason.strip():
        raise AlarmNotOpen("Say why the alarms are dismissed.")
    alarms = Alarm.objects.select_for_update().filter(pk__in=alarm_ids)
    ids = [alarm.pk for alarm in alarms if _state_of(alarm) in (None, State.LOOKED_AT)]
    if not ids:
        raise AlarmNotOpen("None of these alarms is new or only looked at. Choose others.")
    batch = uuid4()
    AlarmReview.objects.filter(alarm__in=ids).delete()
    AlarmReview.objects.bulk_create(
        AlarmReview(alarm_id=pk, state=State.DISMISSED, reason=reason.strip(), batch=batch, by=actor, at=at)
        for pk in ids
    )
    record_event(
        at=at, actor=actor, action="alarm.dismiss", subject=f"alarms:{batch}", detail={"alarms": ids, "reason": reason}
    )
    return batch


@transaction.atomic
def undo_dismissal(batch: UUID, *, at: datetime, actor: str) -> int:
    """Take back a dismissal: its alarms count as looked at. Returns how many. Raises AlarmNotOpen."""
    reviews = AlarmReview.objects.select_for_update().filter(batch=batch, state=State.DISMISSED)
    undone = len([review.pk for review in reviews])
    if not undone:
        raise AlarmNotOpen("This was undone before, or there is no such dismissal.")
    AlarmReview.objects.filter(batch=batch).update(state=State.LOOKED_AT, reason="", batch=None, by=actor, at=at)
    record_event(at=at, actor=actor, action="alarm.undo", subject=f"alarms:{batch}", detail={"alarms": undone})
    return undone


@transaction.atomic
def take_into_case(alarm: Alarm, *, title: str, at: datetime, actor: str) -> Case:
    """Open a case from an alarm, its records as evidence, or return the one that it is in."""
    Alarm.objects.select_for_update().get(pk=alarm.pk)
    review = AlarmReview.objects.filter(alarm=alarm).select_related("case").first()
    if review and review.case:
        return review.case
    case = open_from_alarm(alarm, title=title, at=at, actor=actor)
    AlarmReview.objects.update_or_create(
        alarm=alarm,
        defaults={"state": State.IN_CASE, "case": case, "reason": "", "batch": None, "by": actor, "at": at},
    )
    return case


def _of_state(alarm_id: int, state: str | None) -> None:
    alarm = Alarm.objects.select_for_update().get(pk=alarm_id)
    if _state_of(alarm) != state:
        raise AlarmNotOpen("Somebody has looked at this alarm meanwhile.")


def _state_of(alarm: Alarm) -> str | None:
    return AlarmReview.objects.filter(alarm=alarm).values_list("state", flat=True).first()

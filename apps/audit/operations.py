"""Writing the trail. All run inside the caller's transaction: what is undone leaves no event."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from apps.audit.models import Alarm, Event

JsonObject = Mapping[str, object]


class Cause(NamedTuple):
    """Why an alarm is raised: `key` is stable for one cause."""

    kind: str
    key: str
    detail: dict[str, object]


def record_event(*, at: datetime, actor: str, action: str, subject: str, detail: JsonObject) -> None:
    """Add one event to the trail."""
    Event.objects.create(at=at, actor=actor, action=action, subject=subject, detail=dict(detail))


def record_events(*, at: datetime, actor: str, action: str, details: Mapping[str, JsonObject]) -> None:
    """Add one event for each subject of the same action, with one statement."""
    Event.objects.bulk_create(
        Event(at=at, actor=actor, action=action, subject=subject, detail=dict(detail))
        for subject, detail in details.items()
    )


def raise_alarms(causes: Iterable[Cause], *, at: datetime) -> None:
    """Raise an alarm for each cause that has none yet."""
    alarms = [Alarm(kind=c.kind, key=c.key, detail=c.detail, raised_at=at) for c in causes]
    if alarms:
        Alarm.objects.bulk_create(alarms, ignore_conflicts=True)

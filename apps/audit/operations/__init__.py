"""Writing the trail, opening residents, appointing officers."""

from apps.audit.operations.trail import (
    TELLERS,
    Cause,
    JsonObject,
    raise_alarms,
    record_accesses,
    record_event,
    record_events,
)

__all__ = ["TELLERS", "Cause", "JsonObject", "raise_alarms", "record_accesses", "record_event", "record_events"]

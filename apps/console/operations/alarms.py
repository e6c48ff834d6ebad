"""What auditors see of an alarm's residents: written down before it is shown."""

from django.utils import timezone

from apps.audit.access import Access
from apps.audit.models import Alarm
from apps.audit.operations import record_accesses
from apps.console.queries.alarms import AlarmPage, RecordRow, protected_among, records_of


def look_at_records(found: AlarmPage, *, access: Access, opens_protected: bool) -> tuple[list[RecordRow], int]:
    """The records that caused an alarm, and how many are hidden: those of protected residents, but for named officers.

    That the others' were looked at is on record for each before.
    """
    if found.finding is None:
        return [], 0
    hidden = set() if opens_protected else protected_among(found.refs)
    alarm: Alarm = found.row.alarm
    record_accesses(
        access, [ref for ref in found.refs if ref not in hidden], what=f"alarm {alarm.pk}", at=timezone.now()
    )
    records = records_of(alarm, found.finding)
    shown = [record for record in records if record.resident_ref not in hidden]
    return shown, len(records) - len(shown)

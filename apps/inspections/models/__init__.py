"""What auditors keep: cases, and alarms' rules and findings."""

from apps.inspections.models.alarms import AlarmFinding, AlarmLook, AlarmRecord, AlarmReview, AlarmRule
from apps.inspections.models.cases import Case, Source

__all__ = ["AlarmFinding", "AlarmLook", "AlarmRecord", "AlarmReview", "AlarmRule", "Case", "Source"]

"""What auditors keep: rules and alarms' causes, cases and what was written into them, annulments, evidence packs."""

from apps.inspections.models.alarms import AlarmFinding, AlarmLook, AlarmRecord, AlarmReview, AlarmRule
from apps.inspections.models.annulments import Annulment, AnnulmentState
from apps.inspections.models.cases import Case, Note, Outcome, Source
from apps.inspections.models.packs import Pack

__all__ = [
    "AlarmFinding", "AlarmLook", "AlarmRecord", "AlarmReview", "AlarmRule", "Annulment", "AnnulmentState", "Case",
    "Note", "Outcome", "Pack", "Source",
]  # fmt: skip

"""What auditors keep: alarms' rules and causes, cases, annulments, packs; merchants' returns and counts, samples."""

from apps.inspections.models.alarms import AlarmFinding, AlarmLook, AlarmRecord, AlarmReview, AlarmRule
from apps.inspections.models.annulments import Annulment, AnnulmentState
from apps.inspections.models.cases import Case, Note, Outcome, Source
from apps.inspections.models.declarations import Declaration
from apps.inspections.models.merchants import AmountCount, MerchantMonth, MerchantYear
from apps.inspections.models.packs import Pack
from apps.inspections.models.samples import Method, Population, Result, Sample, SampleItem

__all__ = [
    "AlarmFinding", "AlarmLook", "AlarmRecord", "AlarmReview", "AlarmRule", "AmountCount", "Annulment", "AnnulmentState",
    "Case", "Declaration", "MerchantMonth", "MerchantYear", "Method", "Note", "Outcome", "Pack", "Population", "Result",
    "Sample", "SampleItem", "Source",
]  # fmt: skip

"""What auditors keep: alarms, cases, annulments, packs, searches, merchants' returns and counts, samples."""

from apps.inspections.models.alarms import (
    AlarmFinding,
    AlarmLook,
    AlarmRecord,
    AlarmReview,
    AlarmRule,
    AlarmSearch,
)
from apps.inspections.models.annulments import Annulment, AnnulmentState
from apps.inspections.models.cases import Case, Note, Outcome, Source
from apps.inspections.models.declarations import Declaration
from apps.inspections.models.merchants import ALL, AmountCount, MerchantMonth, MerchantYear
from apps.inspections.models.packs import Pack
from apps.inspections.models.samples import Method, Population, Result, Sample, SampleItem
from apps.inspections.models.searches import Export, SavedSearch

__all__ = [
    "ALL", "AlarmFinding", "AlarmLook", "AlarmRecord", "AlarmReview", "AlarmRule", "AlarmSearch", "AmountCount",
    "Annulment", "AnnulmentState", "Case", "Declaration", "Export", "MerchantMonth", "MerchantYear", "Method", "Note",
    "Outcome", "Pack", "Population", "Result", "Sample", "SampleItem", "SavedSearch", "Source",
]  # fmt: skip

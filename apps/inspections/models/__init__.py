"""What auditors keep: cases, searches and exports."""

from apps.inspections.models.cases import Case, Source
from apps.inspections.models.searches import Export, SavedSearch

__all__ = ["Case", "Export", "SavedSearch", "Source"]

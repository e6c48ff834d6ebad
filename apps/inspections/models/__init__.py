"""What auditors keep: cases, packs of evidence."""

from apps.inspections.models.cases import Case, Source
from apps.inspections.models.packs import Pack

__all__ = ["Case", "Pack", "Source"]

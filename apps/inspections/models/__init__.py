"""What auditors keep: cases."""

from apps.inspections.models.cases import Case, Source

__all__ = ["Case", "Source"]

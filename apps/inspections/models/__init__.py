"""What auditors keep: cases, packs of evidence."""

from apps.inspections.models.cases import Case, Source
from apps.inspections.models.packs import Pack

__all__ = ["Case", "Pack", "Source"]
"""What auditors keep: cases, what was written into them, and what is held against purchases."""

from apps.inspections.models.annulments import Annulment, AnnulmentState
from apps.inspections.models.cases import Case, Note, Outcome, Source

__all__ = ["Annulment", "AnnulmentState", "Case", "Note", "Outcome", "Source"]

"""The conformance kit: proves that a server, and a vendor's till, do what the POS protocol says."""

from kanpu_pos.conformance.command import main
from kanpu_pos.conformance.report import ReportError, read_report

__all__ = ["ReportError", "main", "read_report"]

"""Checks a refund statement of Kanpu offline, with nothing but Python's standard library.

Shares no code with the server: only the statement's format, RFC 9162 and the test vectors.
"""

from kanpu_verify.checks import Finding, findings
from kanpu_verify.merkle import verify_consistency, verify_inclusion
from kanpu_verify.statement import Statement, Unusable, body, leaf, read

__all__ = [
    "Finding",
    "Statement",
    "Unusable",
    "body",
    "findings",
    "leaf",
    "read",
    "verify_consistency",
    "verify_inclusion",
]

"""What changes merchants: merchants and vendors, their keys, terminals and the terminals' own keys."""

from apps.merchants.operations.keys import (
    ConformanceMissing,
    Grant,
    IssuedKey,
    KeyRefused,
    issue_key,
    issue_vendor_key,
    note_use,
    revoke_key,
)
from apps.merchants.operations.merchants import MerchantInvalid, create_merchant
from apps.merchants.operations.table import Table, enrol_table
from apps.merchants.operations.terminal_keys import EnrolmentCodeInvalid, issue_enrolment_code, register_key
from apps.merchants.operations.terminals import Enrolled, Enrolling, enrol_terminal, enrol_terminals, words
from apps.merchants.operations.vendors import (
    authorise_vendor,
    create_vendor,
    record_conformance_report,
    withdraw_authorisation,
)

__all__ = [
    "ConformanceMissing",
    "Enrolled",
    "Enrolling",
    "EnrolmentCodeInvalid",
    "Grant",
    "IssuedKey",
    "KeyRefused",
    "MerchantInvalid",
    "Table",
    "authorise_vendor",
    "create_merchant",
    "create_vendor",
    "enrol_table",
    "enrol_terminal",
    "enrol_terminals",
    "issue_enrolment_code",
    "issue_key",
    "issue_vendor_key",
    "note_use",
    "record_conformance_report",
    "register_key",
    "revoke_key",
    "withdraw_authorisation",
    "words",
]

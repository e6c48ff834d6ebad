"""Every address of the project: who may open it, how, and whose it is. What is not in the table fails (test_every_url).

An address of a resident's page takes one line: `"my-cards": page(RESIDENT, queries=8),`. Whose arguments name something
of one resident is `is_own`; to another resident it is 404.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.urls import URLPattern, URLResolver, get_resolver

from apps.audit.officers import Role

STRANGER, RESIDENT_A, RESIDENT_B, SUPERUSER, TILL = "stranger", "resident", "another resident", "superuser", "till"

NOBODY: Final[frozenset[str]] = frozenset()
ANYBODY: Final = frozenset({STRANGER, RESIDENT_A, RESIDENT_B, SUPERUSER, TILL, *Role})
SIGNED_IN: Final = ANYBODY - {STRANGER, TILL}
TILLS: Final = frozenset({TILL})  # those who have a live API key; a session opens nothing here
TEST_TILLS: Final = frozenset({"till in test mode"})
RESIDENT: Final = frozenset({RESIDENT_A, RESIDENT_B})
CLERK: Final = frozenset({Role.CLERK, Role.PROTECTED_OFFICER})  # who is protected officer here is clerk beside
OFFICES: Final = CLERK | {Role.HELPDESK}
PROTECTED: Final = frozenset({Role.PROTECTED_OFFICER})
OPERATOR: Final = frozenset({Role.OPERATOR})
AUDITOR: Final = frozenset({Role.AUDITOR})
BY_PREFIX: Final = {"admin": frozenset({SUPERUSER})}  # namespaces of others' pages, walked by their first page only


@dataclass(frozen=True, slots=True)
class Address:
    """Who `may` use an address, and what a GET gives: a page, a file, a way to another page, for strangers a
    page and for others a way (a door), nothing (an act).

    `is_own`: its arguments name something of resident A's. `is_opened`: it shows a resident whom the officer opened
    before, for a purpose; others of the role are sent to do that first. `queries`: the most that a page takes, whatever
    the data. `arguments`: by which sample an argument is filled, where that has another name.
    """

    may: frozenset[str]
    gives: str
    takes_forms: bool = False
    is_own: bool = False
    is_opened: bool = False
    queries: int = 0
    arguments: Mapping[str, str] = field(default_factory=dict)

    @property
    def methods(self) -> frozenset[str]:
        """What it answers to."""
        gets = frozenset() if self.gives == "act" else frozenset({"GET"})
        return gets | {"POST"} if self.takes_forms else gets

    def is_for(self, who: str) -> bool:
        """Whether it is there for somebody. What is resident A's is not there for resident B."""
        return who in self.may and not (self.is_own and who == RESIDENT_B)


def page(may: frozenset[str], **more: Any) -> Address:
    """A page to read."""
    return Address(may, "page", **more)


def form(may: frozenset[str], **more: Any) -> Address:
    """A page with a form that comes back to it."""
    return Address(may, "page", takes_forms=True, **more)


def file(may: frozenset[str], **more: Any) -> Address:
    """Something that is no HTML."""
    return Address(may, "file", **more)


def act(may: frozenset[str], **more: Any) -> Address:
    """Where a form goes; there is nothing to read."""
    return Address(may, "act", takes_forms=True, **more)


def door(may: frozenset[str], **more: Any) -> Address:
    """A page with a form for who is not signed in; others are led on."""
    return Address(may, "door", takes_forms=True, **more)


def way(may: frozenset[str], **more: Any) -> Address:
    """Leads to another page."""
    return Address(may, "way", **more)


ADDRESSES: Final[dict[str, Address]] = {
    # everybody's
    "docs": page(ANYBODY),
    "first_purchase": page(ANYBODY),
    "guide": page(ANYBODY),
    "protocol": page(ANYBODY),
    "errors": page(ANYBODY),
    "reference": page(ANYBODY),
    "published": page(ANYBODY),
    "published-json": file(ANYBODY),
    "verifier": file(ANYBODY),
    "openapi": file(ANYBODY),
    "sealing_keys": file(ANYBODY),
    "transparency": page(ANYBODY),
    "transparency-json": file(ANYBODY),
    "audit-key": file(ANYBODY),
    "audit-checkpoint": file(ANYBODY),
    "audit-consistency": file(ANYBODY),
    "mail-stop": form(ANYBODY),
    "stripe-webhook": act(ANYBODY),  # 400 unless Stripe signed it
    "health-live": file(ANYBODY),
    "health-ready": file(ANYBODY),
    "metrics": file(ANYBODY),  # from this machine, outside of production
    "set_language": way(ANYBODY, takes_forms=True),
    # signing in
    "login": door(ANYBODY),
    "logout": act(ANYBODY),
    "activate": form(ANYBODY),
    "activate-account": way(ANYBODY, takes_forms=True),  # without a letter that was checked: back to the code
    "activate-passkey": way(ANYBODY, takes_forms=True),
    "activate-password": way(ANYBODY, takes_forms=True),
    "activate-program": way(ANYBODY, takes_forms=True),
    "account_login": door(ANYBODY),
    "mfa_login_webauthn": way(ANYBODY, takes_forms=True),  # without the script: to the page of the passwords
    "mfa_authenticate": way(ANYBODY, takes_forms=True),
    "openid_connect_login": act(NOBODY),  # while no provider is given
    "openid_connect_callback": page(NOBODY),
    "sign-in": page(SIGNED_IN, queries=7),
    "mfa_index": page(SIGNED_IN, queries=7),
    "sign-in-again": way(SIGNED_IN),
    "account_reauthenticate": way(SIGNED_IN, takes_forms=True),  # who has a factor is asked for that
    "mfa_reauthenticate": form(SIGNED_IN, queries=8),
    "mfa_reauthenticate_webauthn": form(SIGNED_IN, queries=12),
    "second-factor": way(SIGNED_IN),  # who has one is led on, and so below
    "password": form(SIGNED_IN, queries=3),
    "mfa_add_webauthn": form(SIGNED_IN, queries=10),
    "mfa_activate_totp": way(SIGNED_IN, takes_forms=True),
    "mfa_generate_recovery_codes": form(SIGNED_IN, queries=4),
    "mfa_view_recovery_codes": page(SIGNED_IN, queries=4),
    "factor-rename": form(RESIDENT, is_own=True, queries=4),
    "factor-remove": form(RESIDENT, is_own=True, queries=4),
    "session-end": act(RESIDENT, is_own=True),
    "sessions-end-others": act(SIGNED_IN),
    "identity-disconnect": act(SIGNED_IN),
    # tills
    "purchases": file(TILLS, takes_forms=True),
    "terminal": file(TILLS),
    "tiers": file(TILLS),
    "completeness": file(TILLS),
    "terminals": act(TILLS),
    "enrolment_codes": act(TILLS),
    "terminal_key": act(ANYBODY),  # by a one-time code, not by a key
    "test_cards": file(TEST_TILLS),
    # residents
    "home": way(SIGNED_IN),
    "year": page(RESIDENT, queries=19),
    "my-statement": page(RESIDENT, queries=12),
    "my-json": file(RESIDENT),
    "my-pdf": file(RESIDENT),
    "my-decisions": page(RESIDENT, queries=5),
    "my-decision": page(RESIDENT, is_own=True, queries=8),
    "my-letter": file(RESIDENT, is_own=True),
    "my-appeal": act(RESIDENT, is_own=True),
    "my-cards": page(RESIDENT, queries=7),
    "card-lost": act(RESIDENT),
    "card-order": act(RESIDENT),
    "card-resume": act(RESIDENT, is_own=True),
    "my-held": form(RESIDENT, queries=10),
    "withdraw": form(RESIDENT, is_own=True, queries=10),
    "my-registration": page(RESIDENT, queries=14),
    "my-choices": form(RESIDENT, queries=5),
    "my-accesses": page(RESIDENT, queries=8),
    "access-ask": form(RESIDENT, is_own=True, queries=5),
    "my-purchases": page(RESIDENT, queries=10),
    "my-purchase": page(RESIDENT, is_own=True, queries=10),
    "purchase-answer": act(RESIDENT, is_own=True, arguments={"seq": "held_seq"}),
    "claim-code": form(RESIDENT, queries=4),
    "dispute-new": form(RESIDENT, is_own=True, queries=10),
    "dispute-missing": form(RESIDENT, queries=4),
    "my-disputes": page(RESIDENT, queries=6),
    "my-dispute": page(RESIDENT, is_own=True, queries=11),
    "dispute-answer": act(RESIDENT, is_own=True),
    "dispute-withdraw": act(RESIDENT, is_own=True),
    "dispute-appeal": act(RESIDENT, is_own=True),
    "dispute-letter": file(RESIDENT, is_own=True, arguments={"dispute_id": "decided_id"}),
    "my-hearings": page(RESIDENT, queries=8),
    "my-hearing": page(RESIDENT, is_own=True, queries=11),
    "hearing-reply": act(RESIDENT, is_own=True),
    "my-payment": page(RESIDENT, queries=18),
    "payment-change": page(RESIDENT, queries=4),
    "payment-branch": page(RESIDENT, queries=4),
    "payment-account": form(RESIDENT, queries=4),
    "payment-post-bank": form(RESIDENT, queries=4),
    "payment-undo": act(RESIDENT),
    "payment-public": form(RESIDENT, queries=4),
    "payment-public-withdraw": act(RESIDENT),
    "my-household": page(RESIDENT, queries=18),
    "household-payment": form(RESIDENT, queries=8),
    "household-consent": act(RESIDENT),
    "my-proxies": page(RESIDENT, queries=15),
    "proxy-name": act(RESIDENT),
    "proxy-renew": act(RESIDENT, is_own=True),
    "proxy-end": act(RESIDENT, is_own=True),
    "acting": form(RESIDENT, queries=6),
    "acting-stop": act(RESIDENT),
    "acting-code": act(RESIDENT),
    "acting-give-up": act(RESIDENT, is_own=True),
    "my-messages": page(RESIDENT, queries=9),
    "messages-read": act(RESIDENT),
    "my-mail": page(RESIDENT, queries=11),
    "mail-address": act(RESIDENT),
    "mail-confirm": act(RESIDENT),
    "mail-wants": act(RESIDENT),
    "my-statements": page(RESIDENT, queries=6),
    "my-data": page(RESIDENT, queries=4),
    "my-data-download": act(RESIDENT),
    # auditors
    "console": page(AUDITOR),
    "alarms": page(AUDITOR, queries=16),
    "alarms-dismiss": act(AUDITOR),
    "alarms-search": act(AUDITOR),
    "alarms-undo": act(AUDITOR),
    "alarm-rules": page(AUDITOR, queries=8),
    "alarm-rule": form(AUDITOR, arguments={"code": "rule_code"}),
    "alarm": form(AUDITOR),
    "alarm-look": act(AUDITOR),
    "alarm-case": act(AUDITOR),
    "freeze": form(AUDITOR),
    "run": page(AUDITOR),
    "sign": act(AUDITOR),
    "step": form(AUDITOR),
    "refunds": page(AUDITOR),
    "run-pack": act(AUDITOR),
    "case-pack": form(AUDITOR, is_opened=True, arguments={"case_id": "resident_case_id"}),
    "pack-file": file(AUDITOR, is_opened=True),
    "refund-pack": file(AUDITOR, is_opened=True),
    "refund-json": file(AUDITOR, is_opened=True),
    "refund-pdf": file(AUDITOR, is_opened=True),
    "decisions": page(AUDITOR),
    "decision": page(AUDITOR, is_opened=True),
    "letter": file(AUDITOR, is_opened=True),
    "decision-sent": act(AUDITOR),
    "decision-appealed": act(AUDITOR),
    "decision-decided": act(AUDITOR),
    "what-if": form(AUDITOR),
    "purpose": form(AUDITOR),
    "payouts": page(AUDITOR),
    "payout-make": form(AUDITOR),
    "payout-reissue": form(AUDITOR),
    "payout-close": form(AUDITOR),
    "payout-batches": page(AUDITOR),
    "payout-batch": page(AUDITOR),
    "payout-approve": act(AUDITOR),
    "payout-drop": act(AUDITOR),
    "payout-manifest": file(AUDITOR),
    "payout-submit": act(AUDITOR),
    "payout-waiting": page(AUDITOR),
    "payout-waiting-file": file(AUDITOR),
    "payout-failures": page(AUDITOR),
    "payout-payment": page(AUDITOR, is_opened=True),
    "payout-holds": form(AUDITOR),
    "payout-hold": form(AUDITOR, is_opened=True),
    "payout-results": form(AUDITOR),
    "payout-result": page(AUDITOR),
    "disputes": page(AUDITOR),
    "dispute": page(AUDITOR, is_opened=True),
    "dispute-photo": file(AUDITOR, is_opened=True, arguments={"dispute_id": "photo_id"}),
    "dispute-letter-office": file(AUDITOR, is_opened=True, arguments={"dispute_id": "decided_id"}),
    "dispute-ask": act(AUDITOR),
    "dispute-propose": act(AUDITOR),
    "dispute-approve": act(AUDITOR),
    "dispute-send-back": act(AUDITOR),
    "dispute-decide-appeal": act(AUDITOR),
    "cases": page(AUDITOR),
    "case-new": form(AUDITOR),
    "case-from-dispute": act(AUDITOR),
    "case": page(AUDITOR),
    "case-assign": act(AUDITOR),
    "case-comment": act(AUDITOR),
    "case-evidence": act(AUDITOR),
    "case-close": act(AUDITOR),
    "case-purchases": page(AUDITOR, is_opened=True),
    "case-purchase": page(AUDITOR, is_opened=True),
    "annulment-hear": act(AUDITOR),
    "annulment-propose": act(AUDITOR),
    "annulment-approve": act(AUDITOR),
    "annulment-send-back": act(AUDITOR),
    "annulment-drop": act(AUDITOR),
    "amounts": page(AUDITOR),
    "declarations": page(AUDITOR),
    "declarations-import": form(AUDITOR),
    "declaration-case": act(AUDITOR),
    "merchants": page(AUDITOR),
    "merchant": page(AUDITOR),
    "samples": page(AUDITOR),
    "sample": page(AUDITOR),
    "sample-new": form(AUDITOR),
    "sample-item": form(AUDITOR, is_opened=True),
    "sample-item-undo": act(AUDITOR, is_opened=True),
    "sample-item-case": act(AUDITOR, is_opened=True),
    "find": page(AUDITOR),
    "find-purpose": form(AUDITOR),
    "find-save": act(AUDITOR),
    "find-export": act(AUDITOR),
    "find-saved": form(AUDITOR),
    "find-delete": act(AUDITOR),
    "find-case": act(AUDITOR),
    "exports": page(AUDITOR),
    "export": page(AUDITOR),
    "export-cancel": act(AUDITOR),
    "export-file": file(AUDITOR),
    "purchase-received": page(AUDITOR, is_opened=True),
    "totals": page(AUDITOR, is_opened=True),
    "questions": page(AUDITOR),
    "question": form(AUDITOR),
    "accesses": page(AUDITOR),
    "break-glass": form(AUDITOR | OFFICES),
    "glass-approve": act(AUDITOR | PROTECTED),  # another clerk's request is not there for a clerk
    "glass-end": act(AUDITOR | PROTECTED),
    "glass-open": act(AUDITOR | PROTECTED),
    "delays": form(AUDITOR),
    "delay-approve": act(AUDITOR),
    "delay-extend": act(AUDITOR),
    "delay-extend-approve": act(AUDITOR),
    "delay-end": act(AUDITOR),
    # offices
    "office": page(OFFICES | OPERATOR),
    "office-password": form(OFFICES | OPERATOR | AUDITOR),
    "office-counts": page(OPERATOR),
    "office-poison": page(OPERATOR, queries=10),
    "office-poison-replay": act(OPERATOR),
    "office-key": way(OFFICES | OPERATOR | AUDITOR | {SUPERUSER}),  # who showed a key goes on
    "office-keys": form(OPERATOR),
    "office-keys-reset": act(OPERATOR),
    "office-import": form(CLERK),
    "office-lost": form(OFFICES),
    "office-returned": form(CLERK | OPERATOR),
    "office-open": form(OFFICES),
    "office-close": act(OFFICES),
    "office-person": page(CLERK, is_opened=True),
    "office-cards": page(OFFICES, is_opened=True),
    "office-suspend": act(CLERK, is_opened=True),
    "office-order": act(CLERK, is_opened=True),
    "office-resume": act(CLERK, is_opened=True),
    "office-hand-over": form(CLERK, is_opened=True, arguments={"card_id": "new_card_id"}),
    "office-letters": page(OFFICES, is_opened=True),
    "office-came-back": act(CLERK, is_opened=True),
    "office-household": page(CLERK, is_opened=True),
    "office-purchases": page(CLERK, is_opened=True),
    "office-answer": act(CLERK, is_opened=True),
    "office-withdraw": form(CLERK, is_opened=True),
    "office-questions": page(CLERK),
    "office-question": form(CLERK),
    "office-accounts": page(CLERK),
    "office-account-open": act(CLERK),
    "office-account": page(CLERK, is_opened=True),
    "office-account-enter": form(CLERK, is_opened=True),
    "office-account-review": act(CLERK, is_opened=True),
    "office-proxies": page(CLERK, is_opened=True),
    "office-proxy-name": act(CLERK, is_opened=True),
    "office-proxy-end": act(CLERK, is_opened=True),
    "office-consent": act(CLERK, is_opened=True),
    "office-choices": page(CLERK, is_opened=True),
    "office-pause": act(CLERK, is_opened=True),
    "office-unpause": act(CLERK, is_opened=True),
}


@dataclass(frozen=True, slots=True)
class Route:
    """An address as Django knows it: its path with <arguments>, and the type of each."""

    name: str
    path: str
    types: Mapping[str, str]

    def filled(self, arguments: Mapping[str, Any]) -> str:
        """The path with these arguments, whether or not they are of its types."""
        return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(arguments[found[1]]), self.path)


def routes(resolver: URLResolver | None = None, before: str = "/") -> Iterator[Route]:
    """All of the project's but those grouped by prefix, in the resolver's order."""
    for pattern in (resolver or get_resolver()).url_patterns:
        path = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            if pattern.namespace not in BY_PREFIX:
                yield from routes(pattern, path)
        elif isinstance(pattern, URLPattern):
            types = re.findall(r"<(\w+):(\w+)>", path)
            yield Route(str(pattern.name), path, {argument: kind for kind, argument in types})


def missing_in_table() -> set[str]:
    """The names of routes that the table does not have, and of the table's that are no route."""
    return {route.name for route in routes()} ^ set(ADDRESSES)

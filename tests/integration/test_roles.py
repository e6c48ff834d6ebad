"""Who may open which address: every one of the project, as every role there is. What is not in the table fails."""

import uuid
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, Final

import pytest
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from apps.audit.access import Access
from apps.audit.models import AccessRecord
from apps.audit.officers import Role
from apps.audit.operations import record_accesses
from apps.refunds.models import Decision
from apps.refunds.operations.assessing import assess_run
from apps.refunds.operations.freezing import freeze
from apps.refunds.operations.verifying import verify_run
from apps.residents.models import Resident
from apps.residents.operations import make_keys
from apps.residents.operations.questions import ask_why
from tests.offices import OFFICE, officer
from tests.pages import YEAR, approve, buy, resident, settle
from tests.signing_in import SECRET

pytestmark = pytest.mark.django_db

ANYBODY: Final = frozenset({"stranger", "resident", "superuser", *Role})
SIGNED_IN: Final = ANYBODY - {"stranger"}
TILLS: Final[frozenset[str]] = frozenset()  # those who have an API key; a session opens nothing here
RESIDENT: Final = frozenset({"resident"})
CLERK: Final = frozenset({Role.CLERK, Role.PROTECTED_OFFICER})  # who is protected officer here is clerk beside
OFFICES: Final = CLERK | {Role.HELPDESK}
OPERATOR: Final = frozenset({Role.OPERATOR})
AUDITOR: Final = frozenset({Role.AUDITOR})
NOBODY: Final = frozenset({"nobody"})  # as none of them has what it is for

MAY: Final[dict[str, frozenset[str]]] = {
    # everybody's
    "docs": ANYBODY, "first_purchase": ANYBODY, "guide": ANYBODY, "protocol": ANYBODY, "errors": ANYBODY,
    "openapi": ANYBODY, "reference": ANYBODY, "published": ANYBODY, "published-json": ANYBODY, "verifier": ANYBODY,
    "transparency": ANYBODY, "transparency-json": ANYBODY, "mail-stop": ANYBODY,
    "sealing_keys": ANYBODY,
    "login": ANYBODY, "account_login": ANYBODY, "logout": ANYBODY, "set_language": ANYBODY,
    "activate": ANYBODY, "activate-account": ANYBODY, "activate-passkey": ANYBODY, "activate-password": ANYBODY,
    "activate-program": ANYBODY, "openid_connect_login": ANYBODY, "openid_connect_callback": NOBODY,
    # steps of a sign-in, which lead a stranger back to its beginning
    "mfa_login_webauthn": SIGNED_IN, "mfa_authenticate": SIGNED_IN,
    # everybody's own sign-in
    "sign-in": SIGNED_IN, "mfa_index": SIGNED_IN, "second-factor": SIGNED_IN, "sign-in-again": SIGNED_IN,
    "account_reauthenticate": SIGNED_IN, "mfa_reauthenticate": SIGNED_IN, "mfa_reauthenticate_webauthn": SIGNED_IN,
    "password": SIGNED_IN, "mfa_add_webauthn": SIGNED_IN, "mfa_activate_totp": SIGNED_IN,
    "mfa_generate_recovery_codes": SIGNED_IN, "mfa_view_recovery_codes": NOBODY,
    "factor-rename": NOBODY, "factor-remove": RESIDENT,
    "session-end": SIGNED_IN, "sessions-end-others": SIGNED_IN, "identity-disconnect": SIGNED_IN,
    # tills
    "terminals": TILLS, "enrolment_codes": TILLS, "terminal_key": TILLS, "purchases": TILLS, "terminal": TILLS,
    "tiers": TILLS, "test_cards": TILLS,
    # residents
    "home": SIGNED_IN, "year": RESIDENT, "my-statement": RESIDENT, "my-json": RESIDENT, "my-pdf": RESIDENT,
    "my-decisions": RESIDENT, "my-decision": RESIDENT, "my-letter": RESIDENT, "my-appeal": RESIDENT,
    "my-cards": RESIDENT, "card-lost": RESIDENT, "card-resume": RESIDENT, "card-order": RESIDENT, "my-held": RESIDENT,
    "my-purchases": RESIDENT, "my-purchase": RESIDENT, "purchase-answer": RESIDENT, "claim-code": RESIDENT,
    "withdraw": RESIDENT, "my-registration": RESIDENT, "my-choices": RESIDENT, "my-accesses": RESIDENT,
    "my-payment": RESIDENT, "payment-undo": RESIDENT, "payment-public": RESIDENT, "payment-public-withdraw": RESIDENT,
    "payment-change": RESIDENT, "payment-branch": RESIDENT, "payment-account": RESIDENT, "payment-post-bank": RESIDENT,
    "my-household": RESIDENT, "household-consent": RESIDENT, "my-proxies": RESIDENT, "proxy-name": RESIDENT,
    "proxy-renew": RESIDENT, "proxy-end": RESIDENT, "acting": RESIDENT, "acting-stop": RESIDENT,
    "acting-code": RESIDENT, "acting-give-up": RESIDENT,
    "access-ask": RESIDENT, "my-messages": RESIDENT, "messages-read": RESIDENT, "my-mail": RESIDENT,
    "mail-address": RESIDENT, "mail-confirm": RESIDENT, "mail-wants": RESIDENT, "my-statements": RESIDENT,
    "my-data": RESIDENT, "my-data-download": RESIDENT,
    # auditors
    "questions": AUDITOR, "question": AUDITOR,
    "console": AUDITOR, "alarms": AUDITOR, "accesses": AUDITOR, "purpose": AUDITOR, "freeze": AUDITOR, "run": AUDITOR,
    "sign": AUDITOR, "step": AUDITOR, "refunds": AUDITOR, "refund-json": AUDITOR, "refund-pdf": AUDITOR,
    "decisions": AUDITOR, "decision": AUDITOR, "letter": AUDITOR, "decision-sent": AUDITOR,
    "decision-appealed": AUDITOR, "decision-decided": AUDITOR, "what-if": AUDITOR,
    # offices
    "office-questions": CLERK, "office-question": CLERK,
    "office": OFFICES | OPERATOR, "office-password": OFFICES | OPERATOR | AUDITOR,
    "office-counts": OPERATOR, "office-returned": CLERK | OPERATOR,
    "office-lost": OFFICES, "office-open": OFFICES, "office-close": OFFICES, "office-cards": OFFICES,
    "office-letters": OFFICES,
    "office-person": CLERK, "office-household": CLERK, "office-choices": CLERK, "office-suspend": CLERK,
    "office-resume": CLERK, "office-order": CLERK, "office-hand-over": CLERK, "office-came-back": CLERK,
    "office-pause": CLERK, "office-unpause": CLERK, "office-import": CLERK,
    "office-purchases": CLERK, "office-answer": CLERK, "office-withdraw": CLERK,
    "office-accounts": CLERK, "office-account-open": CLERK, "office-account": CLERK, "office-account-enter": CLERK,
    "office-account-review": CLERK,
    "office-proxies": CLERK, "office-proxy-name": CLERK, "office-proxy-end": CLERK, "office-consent": CLERK,
}  # fmt: skip
API: Final = {name for name, may in MAY.items() if may == TILLS}


def addresses(patterns: list[Any] | None = None) -> Iterator[URLPattern]:
    """All of the project's but the administration's."""
    for found in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(found, URLResolver):
            if found.namespace != "admin":
                yield from addresses(found.url_patterns)
        else:
            yield found


@pytest.fixture
def samples(terminal: int, tmp_path: Path, settings: Any) -> dict[str, Any]:
    """A year with a signed run and a decision about a resident, who is in the register."""
    ref, now = resident("hanako"), timezone.now()
    settings.KANPU_VAULT_KEYS = tmp_path / "vault.json"
    make_keys(tmp_path / "keyring.json", vault_path=tmp_path / "vault.json", seal_until=now, at=now, actor="test")
    Resident.objects.create(ref=ref, resident_from=date(YEAR, 1, 1))
    buy(ref, terminal, {"reduced": 1_000_000})
    settle(freeze, assess_run, verify_run)
    approve()
    record_accesses(Access("user:zoe", Role.CLERK, OFFICE, "card"), [ref], what="page:cards", at=now)
    question = ask_why(ref, AccessRecord.objects.get().pk, "", at=now, actor="resident")
    return {
        "year": YEAR, "number": 1, "name": "pay", "ref": ref, "decision_id": Decision.objects.get().pk,
        "language": "ja", "card_id": 1, "notice_id": 1, "proxy_id": 1, "code": "till-1", "session_id": 1,
        "factor_id": TOTP.activate(User.objects.get(username="hanako"), SECRET).instance.pk,
        "terminal_id": terminal, "seq": 1, "account_id": uuid.uuid4(), "bank": "0001", "branch": "001",
        "stop_token": uuid.uuid4(), "record_id": question.record_id, "question_id": question.pk,
    }  # fmt: skip


def people() -> dict[str, Client]:
    """A browser for each, signed in."""
    users = {str(role): officer(f"the-{role}", role) for role in Role if role != Role.PROTECTED_OFFICER}
    users[Role.PROTECTED_OFFICER] = officer("named", Role.CLERK, Role.PROTECTED_OFFICER)
    users["resident"] = User.objects.get(username="hanako")
    users["superuser"] = User.objects.create_superuser("root", password=uuid.uuid4().hex)
    found = {name: Client() for name in (*users, "stranger")}
    for name, user in users.items():
        found[name].force_login(user)
    return found


def may_open(response: Any) -> bool:
    """Whether the page is there for whoever asked; one that takes forms only is as well."""
    to_sign_in = response.status_code == 302 and response["Location"].startswith("/login")
    return response.status_code in (200, 302, 405) and not to_sign_in


def is_refused(response: Any, who: str, *, is_api: bool = False) -> bool:
    """Whether the page is not there, is asked for in a way that it never answers, or asks to sign in first."""
    if who == "stranger" and response.status_code == 302:
        return bool(response["Location"] == "/login" or response["Location"].startswith("/login?next="))
    return response.status_code in ((401, 405) if is_api else (404, 405))


def test_every_address_is_open_to_those_in_the_table_and_to_nobody_else(samples: dict[str, Any]) -> None:
    browsers, wrong = people(), []
    found = {pattern.name: pattern for pattern in addresses()}
    assert set(found) - {None} == set(MAY), "an address is missing in the table, or gone"
    assert None not in found
    for name, may in MAY.items():
        arguments = {key: samples[key] for key in found[name].pattern.converters} | found[name].default_args
        path = reverse(str(name), kwargs=arguments)
        for who, browser in browsers.items():
            response = browser.get(path)
            if not (may_open(response) if who in may else is_refused(response, who, is_api=name in API)):
                wrong.append((name, who, response.status_code, response.headers.get("Location")))
    assert wrong == []


def test_forms_are_refused_to_the_same_people(samples: dict[str, Any]) -> None:
    browsers, wrong = people(), []
    for pattern in addresses():
        may = MAY[str(pattern.name)]
        if pattern.name in API or may == ANYBODY:
            continue
        arguments = {key: samples[key] for key in pattern.pattern.converters} | pattern.default_args
        for who in set(browsers) - may:
            response = browsers[who].post(reverse(str(pattern.name), kwargs=arguments))
            if not is_refused(response, who):
                wrong.append((pattern.name, who, response.status_code))
    assert wrong == []


def test_the_administration_is_for_superusers_only(db: None, samples: dict[str, Any]) -> None:
    for who, browser in people().items():
        for path in ("/admin/", "/admin/merchants/merchant/"):
            response = browser.get(path)
            if who == "superuser":
                assert response.status_code == 200
            else:
                assert response["Location"].startswith("/admin/login/"), who


def test_after_the_sign_in_each_lands_on_a_page_of_their_own(samples: dict[str, Any]) -> None:
    landings = {who: browser.get("/")["Location"] for who, browser in people().items()}
    assert landings == {
        "stranger": "/login?next=/",
        "resident": f"/year/{YEAR}",
        "superuser": "/office/",
        "auditor": "/console/",
        "registry_clerk": "/office/",
        "protected_officer": "/office/",
        "helpdesk": "/office/",
        "operator": "/office/",
    }

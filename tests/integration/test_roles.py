"""Who may open which address: every one of the project, as every role there is. What is not in the table fails."""

import json
import uuid
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, Final

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from apps.audit.officers import Role
from apps.merchants.models import Terminal
from apps.purchases.lanes import lane_of
from apps.purchases.models import Batch
from apps.purchases.operations import accept_batch
from apps.purchases.store import Sender
from apps.refunds.models import Decision
from apps.refunds.operations.assessing import assess_run
from apps.refunds.operations.freezing import freeze
from apps.refunds.operations.verifying import verify_run
from apps.residents.models import Resident
from apps.residents.operations import make_keys
from tests.disputing import decide, report
from tests.offices import officer
from tests.pages import YEAR, approve, buy, resident, settle

pytestmark = pytest.mark.django_db

ANYBODY: Final = frozenset({"stranger", "resident", "superuser", *Role})
SIGNED_IN: Final = ANYBODY - {"stranger"}
TILLS: Final[frozenset[str]] = frozenset()  # those who have an API key; a session opens nothing here
RESIDENT: Final = frozenset({"resident"})
CLERK: Final = frozenset({Role.CLERK, Role.PROTECTED_OFFICER})  # who is protected officer here is clerk beside
OFFICES: Final = CLERK | {Role.HELPDESK}
OPERATOR: Final = frozenset({Role.OPERATOR})
AUDITOR: Final = frozenset({Role.AUDITOR})

MAY: Final[dict[str, frozenset[str]]] = {
    # everybody's
    "docs": ANYBODY, "first_purchase": ANYBODY, "guide": ANYBODY, "protocol": ANYBODY, "errors": ANYBODY,
    "openapi": ANYBODY, "reference": ANYBODY, "published": ANYBODY, "published-json": ANYBODY, "verifier": ANYBODY,
    "sealing_keys": ANYBODY,
    "login": ANYBODY, "activate": ANYBODY, "activate-account": ANYBODY, "logout": ANYBODY, "set_language": ANYBODY,
    # tills
    "terminals": TILLS, "enrolment_codes": TILLS, "terminal_key": TILLS, "purchases": TILLS, "terminal": TILLS,
    "tiers": TILLS, "test_cards": TILLS,
    # residents
    "home": SIGNED_IN, "year": RESIDENT, "my-statement": RESIDENT, "my-json": RESIDENT, "my-pdf": RESIDENT,
    "my-decisions": RESIDENT, "my-decision": RESIDENT, "my-letter": RESIDENT, "my-appeal": RESIDENT,
    "my-cards": RESIDENT, "card-lost": RESIDENT, "card-resume": RESIDENT, "card-order": RESIDENT, "my-held": RESIDENT,
    "dispute-new": RESIDENT, "dispute-missing": RESIDENT, "my-disputes": RESIDENT, "my-dispute": RESIDENT,
    "dispute-answer": RESIDENT, "dispute-withdraw": RESIDENT, "dispute-appeal": RESIDENT, "dispute-letter": RESIDENT,
    "withdraw": RESIDENT, "my-registration": RESIDENT, "my-choices": RESIDENT, "my-accesses": RESIDENT,
    # auditors
    "console": AUDITOR, "alarms": AUDITOR, "accesses": AUDITOR, "purpose": AUDITOR, "freeze": AUDITOR, "run": AUDITOR,
    "sign": AUDITOR, "step": AUDITOR, "refunds": AUDITOR, "refund-json": AUDITOR, "refund-pdf": AUDITOR,
    "decisions": AUDITOR, "decision": AUDITOR, "letter": AUDITOR, "decision-sent": AUDITOR,
    "decision-appealed": AUDITOR, "decision-decided": AUDITOR, "what-if": AUDITOR,
    "disputes": AUDITOR, "dispute": AUDITOR, "dispute-photo": AUDITOR, "dispute-letter-office": AUDITOR,
    "dispute-ask": AUDITOR, "dispute-propose": AUDITOR, "dispute-approve": AUDITOR, "dispute-send-back": AUDITOR,
    "dispute-decide-appeal": AUDITOR,
    # offices
    "office": OFFICES | OPERATOR, "office-password": OFFICES | OPERATOR | AUDITOR,
    "office-counts": OPERATOR, "office-returned": CLERK | OPERATOR,
    "office-lost": OFFICES, "office-open": OFFICES, "office-close": OFFICES, "office-cards": OFFICES,
    "office-letters": OFFICES,
    "office-person": CLERK, "office-household": CLERK, "office-choices": CLERK, "office-suspend": CLERK,
    "office-resume": CLERK, "office-order": CLERK, "office-hand-over": CLERK, "office-came-back": CLERK,
    "office-pause": CLERK, "office-unpause": CLERK, "office-import": CLERK,
    "office-purchases": CLERK, "office-answer": CLERK, "office-withdraw": CLERK,
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
    sent(terminal)
    settle(freeze, assess_run, verify_run)
    approve()
    return {
        "year": YEAR, "number": 1, "name": "pay", "ref": ref, "decision_id": Decision.objects.get().pk,
        "language": "ja", "card_id": 1, "notice_id": 1, "code": "till-1",
        "terminal_id": terminal, "seq": 1, "dispute_id": decide(report(ref, reduced=5)).pk,
    }  # fmt: skip


def sent(terminal_id: int) -> None:
    """What the till sent of the purchase that was counted."""
    code = Terminal.objects.get(pk=terminal_id).code
    sender = Sender(lane_of(terminal_id), terminal_id, code, 1, None, uuid.uuid4(), "")
    sale = {"seq": 1, "at": f"{YEAR}-03-01T12:01:00+09:00", "lines": [{"tier": "reduced", "amount": 1_000_000}]}
    accept_batch(sender, [json.dumps(sale).encode()], now=timezone.now())
    Batch.objects.update(counted_at=timezone.now())


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
        return bool(response["Location"].startswith("/login?next="))
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

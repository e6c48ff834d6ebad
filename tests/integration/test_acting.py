"""Acting for somebody else: every address with every right, until it ends, on record and told. Parents and children."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.template import engines
from django.test import Client
from django.utils import timezone

from apps.audit.models import AccessRecord
from apps.portal.models import Account
from apps.portal.viewer import Right
from apps.refunds.models import Decision
from apps.refunds.operations.assessing import assess_run
from apps.refunds.operations.freezing import freeze
from apps.refunds.operations.verifying import verify_run
from apps.residents.acting import DISPUTE, PAYMENT, RIGHTS, SEE
from apps.residents.models import Membership, Message, Proxy, Resident
from apps.residents.operations import make_keys
from apps.residents.operations.messages import tell
from tests.acting import AT_WINDOW, act, act_for_child, browser, live_together, named, paths, signed_up, status_of
from tests.identities import enter
from tests.pages import YEAR, approve, buy, queries_of, resident, settle, shown

pytestmark = pytest.mark.django_db

# What each page of the portal asks of a proxy; SELF for what nobody does for another, OPEN for what is everybody's.
OPEN: Final = "open"
LOGGED: Final = "logged"  # to everybody, once there is a log
OWN: Final = "own"  # the own page of whoever is signed in, also while acting
NEEDS: Final[dict[str, str]] = {
    "published": OPEN, "published-json": OPEN, "transparency": OPEN, "transparency-json": OPEN, "verifier": OPEN,
    "audit-key": LOGGED, "audit-checkpoint": LOGGED, "audit-consistency": LOGGED,
    "activate": OPEN, "activate-account": OPEN, "activate-passkey": OPEN, "activate-password": OPEN,
    "activate-program": OPEN, "mail-stop": OPEN,
    "home": OPEN,  # leads on: below
    "acting": OWN, "acting-stop": OWN, "acting-code": OWN, "acting-give-up": OWN,
    "year": SEE, "my-statement": SEE, "my-json": SEE, "my-pdf": SEE, "my-decisions": SEE, "my-decision": SEE,
    "my-letter": SEE, "my-cards": SEE, "my-accesses": SEE, "my-statements": SEE, "my-messages": SEE,
    "my-purchases": SEE, "my-purchase": SEE, "my-disputes": SEE, "my-dispute": SEE, "dispute-letter": SEE,
    "my-hearings": SEE, "my-hearing": SEE,
    "my-held": DISPUTE, "withdraw": DISPUTE, "my-appeal": DISPUTE, "purchase-answer": DISPUTE, "claim-code": DISPUTE,
    "dispute-new": DISPUTE, "dispute-missing": DISPUTE, "dispute-answer": DISPUTE, "dispute-withdraw": DISPUTE,
    "hearing-reply": DISPUTE,
    "dispute-appeal": DISPUTE,
    "my-payment": PAYMENT, "payment-undo": PAYMENT, "payment-public": PAYMENT, "payment-public-withdraw": PAYMENT,
    "payment-change": PAYMENT, "payment-branch": PAYMENT, "payment-account": PAYMENT, "payment-post-bank": PAYMENT,
    "card-lost": Right.SELF, "card-resume": Right.SELF, "card-order": Right.SELF, "my-registration": Right.SELF,
    "my-choices": Right.SELF, "my-household": Right.SELF, "household-consent": Right.SELF,
    "household-payment": Right.SELF, "my-proxies": Right.SELF,
    "proxy-name": Right.SELF, "proxy-renew": Right.SELF, "proxy-end": Right.SELF,
    "access-ask": Right.SELF, "messages-read": Right.SELF, "my-mail": Right.SELF, "mail-address": Right.SELF,
    "mail-confirm": Right.SELF, "mail-wants": Right.SELF, "my-data": Right.SELF, "my-data-download": Right.SELF,
}  # fmt: skip


@pytest.fixture
def keys(tmp_path: Path, settings: Any) -> None:
    now = timezone.now()
    settings.KANPU_VAULT_KEYS = tmp_path / "vault.json"
    make_keys(tmp_path / "keyring.json", vault_path=tmp_path / "vault.json", seal_until=now, at=now, actor="test")


@pytest.fixture
def hanako(terminal: int, keys: None) -> UUID:
    """Whose pages are opened: a settled year with a decision."""
    ref = resident("hanako")
    Resident.objects.create(ref=ref, resident_from=date(YEAR, 1, 1))
    enter(ref, name="山田 花子")
    buy(ref, terminal, {"reduced": 1_000_000})
    settle(freeze, assess_run, verify_run)
    approve()
    return ref


@pytest.fixture
def taro(hanako: UUID) -> UUID:
    """Who acts."""
    ref = resident("taro")
    Resident.objects.create(ref=ref, resident_from=date(YEAR, 1, 1))
    enter(ref, name="佐藤 太郎")
    return ref


# --- rights ---


@pytest.mark.parametrize("right", [*RIGHTS, "all"])
def test_a_proxy_opens_the_pages_of_the_given_right_and_no_other(
    hanako: UUID, taro: UUID, terminal: int, right: str
) -> None:
    given = RIGHTS if right == "all" else (right,)
    client = act(browser("taro"), named(hanako, taro, *given))
    found = paths(terminal)
    assert set(found) == set(NEEDS), "an address is missing in the table, or gone"
    wrong: list[tuple[str, object]] = []
    for name, path in found.items():
        need = NEEDS[name]
        if need == LOGGED:
            continue
        got = status_of(client, path)
        if need in RIGHTS:
            expected = {404, 405} if need not in given else {200, 405}
        else:
            expected = {404, 405} if need == Right.SELF else {200, 302, 405}
        if got not in expected:
            wrong.append((name, got))
        is_form = got == 405 and need in given
        if is_form and status_of(client, path, "post") not in (200, 302):
            wrong.append((name, "form"))
        if need not in (OPEN, OWN) and need not in given and client.post(path).status_code not in (404, 405):
            wrong.append((name, "post"))
    assert wrong == []


def test_the_first_page_leads_to_what_a_proxy_may_open(hanako: UUID, taro: UUID) -> None:
    seeing = act(browser("taro"), named(hanako, taro, SEE))
    assert seeing.get("/")["Location"] == f"/year/{YEAR}"
    assert "1,000,000" in shown(seeing, f"/year/{YEAR}")
    paying = act(browser("taro"), named(hanako, taro, PAYMENT))
    assert paying.get("/")["Location"] == "/acting"
    assert "You may not see their pages" in shown(paying, "/acting")


def test_who_has_stopped_is_back_on_the_own_pages(hanako: UUID, taro: UUID) -> None:
    client = act(browser("taro"), named(hanako, taro))
    assert "1,000,000" in shown(client, f"/year/{YEAR}")
    assert client.post("/acting/stop").status_code == 302
    assert "1,000,000" not in shown(client, f"/year/{YEAR}")
    assert "佐藤 太郎" in shown(client, "/registration")


def test_acting_ends_with_the_sign_in(hanako: UUID, taro: UUID) -> None:
    client = act(browser("taro"), named(hanako, taro))
    client.post("/logout")
    client.force_login(User.objects.get(username="taro"))
    assert "1,000,000" not in shown(client, f"/year/{YEAR}")


def test_a_grant_of_somebody_else_opens_nothing(hanako: UUID, taro: UUID) -> None:
    proxy = named(hanako, taro)
    mallory = signed_up("mallory", Resident.objects.create(resident_from=date(YEAR, 1, 1)).ref)
    session = mallory.session
    session["acting"] = f"named-{proxy.pk}"
    session.save()
    assert mallory.get(f"/year/{YEAR}").status_code == 404
    for key in (f"named-{proxy.pk}", f"named-{'9' * 5000}", "named-", ""):
        assert mallory.post("/acting", {"grant": key}).status_code == (404 if key else 200)
    assert not AccessRecord.objects.filter(resident_ref=hanako, role="proxy").exists()


# --- the end ---


@pytest.mark.parametrize("end", ["revoked", "expired", "right withdrawn"])
def test_it_ends_at_once_though_the_session_goes_on(hanako: UUID, taro: UUID, end: str) -> None:
    proxy = named(hanako, taro)
    client = act(browser("taro"), proxy)
    assert client.get("/cards").status_code == 200
    if end == "revoked":
        browser("hanako").post(f"/proxies/{proxy.pk}/end")
    elif end == "expired":
        earlier = timezone.now() - timedelta(days=40)
        Proxy.objects.update(valid=(earlier, timezone.now()))
    else:
        named(hanako, taro, PAYMENT)  # in place of the first
    for path in ("/cards", f"/year/{YEAR}", "/accesses", "/decisions"):
        assert client.get(path).status_code == 404, path
    assert client.get("/")["Location"] == "/acting"
    assert "You can act no more" in shown(client, "/acting")
    client.post("/acting/stop")
    assert client.get("/cards").status_code == 200


# --- on record, and told ---


def test_each_page_is_on_record_before_it_is_shown_and_told_once_a_day(hanako: UUID, taro: UUID) -> None:
    client = act(browser("taro"), named(hanako, taro, SEE, DISPUTE))
    for path in ("/cards", f"/year/{YEAR}", "/held", "/held"):
        assert client.get(path).status_code == 200
    records = AccessRecord.objects.filter(resident_ref=hanako, role="proxy").order_by("pk")
    user = User.objects.get(username="taro")
    assert [(record.what, record.actor) for record in records] == [
        (f"portal:{name}", f"proxy:{user.pk}") for name in ("my-cards", "year", "my-held", "my-held")
    ]
    assert Message.objects.filter(resident_ref=hanako, kind="proxy_used").count() == 1
    assert not Message.objects.filter(resident_ref=hanako, kind="looked").exists()  # they are told once, not twice
    page = shown(browser("hanako"), "/accesses")
    assert "Somebody who acts for you To act for you refund and purchases of a year" in page
    assert "taro" not in page
    assert str(timezone.localdate().year) in shown(browser("hanako"), "/proxies").split("Last used")[1][:40]


def test_what_a_proxy_does_stands_in_the_trail_as_the_proxys(hanako: UUID, taro: UUID) -> None:
    decision = Decision.objects.get()
    client = act(browser("taro"), named(hanako, taro, SEE))
    assert client.get(f"/decisions/{decision.pk}").status_code == 200
    decision.refresh_from_db()
    assert decision.state == Decision.State.ISSUED  # seeing alone does not begin the time to appeal
    client = act(browser("taro"), named(hanako, taro, SEE, DISPUTE))
    assert client.get(f"/decisions/{decision.pk}").status_code == 200
    client.post(f"/decisions/{decision.pk}/appeal", {"reason": "It is too little."})
    decision.refresh_from_db()
    assert decision.appeal_reason == "It is too little."


def banner(client: Client, path: str) -> str:
    """What the banner says on a page: it is rendered apart, whatever the page's frame."""
    request: Any = client.get(path).wsgi_request
    return engines["django"].from_string("{% load acting %}{% acting_banner %}").render({}, request)


def test_the_banner_says_the_name_only_where_the_resident_allowed_it(hanako: UUID, taro: UUID) -> None:
    client = browser("taro")
    assert banner(client, "/cards").strip() == ""
    act(client, named(hanako, taro, SEE))
    nameless = banner(client, "/cards")
    assert "the resident who named you on" in nameless
    assert "山田" not in nameless + shown(client, "/acting")
    assert 'action="/acting/stop"' in nameless
    act(client, named(hanako, taro, SEE, shows_name=True))
    assert "You act for 山田 花子." in banner(client, "/cards")
    assert "山田 花子" in shown(client, "/acting")
    Proxy.objects.all().delete()
    assert "You act for somebody else." in banner(client, "/cards")  # a page that is not there any more
    assert banner(client, "/acting").strip() == ""  # which says it itself


def test_the_menu_counts_the_messages_of_whose_pages_are_open(hanako: UUID, taro: UUID) -> None:
    seer = act(browser("taro"), named(hanako, taro))
    Message.objects.all().delete()
    for ref, times in ((hanako, 3), (taro, 7)):
        for _ in range(times):
            tell([ref], "card_ready", at=timezone.now())
    seer.get("/cards")  # hanako is told of that
    assert "4 new" in shown(seer, "/cards")
    assert "7 new" in shown(seer, "/acting")
    assert "7 new" in shown(browser("taro"), "/cards")
    payer = act(browser("taro"), named(hanako, taro, PAYMENT))
    assert " new" not in shown(payer, "/payment").split("All pages")[0]


def test_without_the_vaults_keys_a_proxy_goes_on_without_names(hanako: UUID, taro: UUID, settings: Any) -> None:
    client = act(browser("taro"), named(hanako, taro, SEE, shows_name=True))
    settings.KANPU_VAULT_KEYS = None
    assert "the resident who named you on" in banner(client, "/cards")
    assert "The resident who named you on" in shown(client, "/acting")


# --- cost ---


def test_who_acts_for_nobody_pays_nothing_and_a_proxy_always_the_same(hanako: UUID, taro: UUID) -> None:
    client = browser("taro")
    alone = queries_of(client, "/cards")
    act(client, named(hanako, taro, SEE))
    first = queries_of(client, "/cards")
    for _ in range(5):
        client.get("/cards")
    assert queries_of(client, "/cards") == first
    assert first - alone <= 7


def test_pages_cost_the_same_however_many_there_are(hanako: UUID, taro: UUID) -> None:
    hers, his = browser("hanako"), browser("taro")
    named(hanako, taro, shows_name=True)
    before = [queries_of(hers, "/proxies"), queries_of(his, "/acting")]
    for _ in range(8):
        other = Resident.objects.create(resident_from=date(YEAR, 1, 1)).ref
        enter(other)
        named(other, taro, shows_name=True)
        named(hanako, other)
    assert [queries_of(hers, "/proxies"), queries_of(his, "/acting")] == before


# --- parents and guardians ---


@pytest.fixture
def child(hanako: UUID, taro: UUID) -> UUID:
    """Hanako is the child of taro, to whom her share is paid."""
    live_together(taro, hanako, payees={hanako: taro})
    return hanako


def test_a_parent_sees_and_disputes_for_the_child_without_being_named_but_never_pays(
    child: UUID, taro: UUID, terminal: int
) -> None:
    client = act_for_child(browser("taro"), child)
    assert "山田 花子" in shown(client, "/acting")
    found = paths(terminal)
    for name, path in found.items():
        need = NEEDS[name]
        if need in RIGHTS:
            assert status_of(client, path) in ((200, 405) if need != PAYMENT else (404, 405)), name
    assert "You act for 山田 花子." in banner(client, "/cards")
    assert Message.objects.filter(resident_ref=child, kind="proxy_used").count() == 1
    assert AccessRecord.objects.filter(resident_ref=child, role="proxy").exists()


@pytest.mark.parametrize("end", ["of age", "moved out", "protected"])
def test_a_parent_loses_sight_when_the_share_is_paid_to_them_no_more(child: UUID, taro: UUID, end: str) -> None:
    client = act_for_child(browser("taro"), child)
    assert client.get("/cards").status_code == 200
    stay = Membership.objects.filter(resident=child)
    if end == "of age":
        stay.update(payee=None)  # as the next import of the register sets it
    elif end == "moved out":
        stay.update(valid=(date(2017, 1, 1), timezone.localdate().replace(day=1)))
    else:
        Resident.objects.filter(pk=child).update(is_protected=True)
    assert client.get("/cards").status_code == 404
    assert "山田" not in shown(client, "/acting")


def test_giving_a_proxy_up_does_not_stop_acting_for_a_child_whose_stay_has_its_number(
    child: UUID, hanako: UUID, taro: UUID
) -> None:
    proxy = named(hanako, taro, SEE)
    stay = Membership.objects.get(resident=child, payee=taro)
    Proxy.objects.filter(pk=proxy.pk).update(id=stay.pk)
    client = act_for_child(browser("taro"), child)
    assert client.post(f"/acting/{stay.pk}/give-up")["Location"] == "/acting"
    assert "You act for them now." in shown(client, "/acting")


def test_the_other_parent_acts_for_no_child_of_whom_they_are_not_payee(child: UUID, taro: UUID) -> None:
    mother = Resident.objects.create(resident_from=date(YEAR, 1, 1)).ref
    home = Membership.objects.get(resident=child).household_ref
    Membership.objects.create(resident_id=mother, household_ref=home, valid=(date(2017, 1, 1), None))
    client = signed_up("mother", mother)
    stay = Membership.objects.get(resident=child)
    assert client.post("/acting", {"grant": f"parent-{stay.pk}"}).status_code == 404


def test_a_guardian_has_what_was_recorded_and_knows_the_ward(hanako: UUID, taro: UUID) -> None:
    papers: dict[str, Any] = {"document": "register", "document_date": date(2026, 1, 5)}
    client = act(browser("taro"), named(hanako, taro, SEE, DISPUTE, PAYMENT, asked=AT_WINDOW, **papers))
    assert client.get("/held").status_code == 200
    assert "You act for 山田 花子." in banner(client, "/cards")
    assert "guardian, by a document of Jan. 5, 2026" in shown(browser("hanako"), "/proxies")
    assert "ended at a window" in shown(browser("hanako"), "/proxies")


def test_staff_act_for_nobody(hanako: UUID, taro: UUID) -> None:
    client = browser("ann")  # an auditor
    assert client.get("/acting").status_code == 404
    assert client.post("/acting/code").status_code == 404
    assert not Account.objects.filter(user__username="ann").exists()

"""API keys: what each may do, whom it speaks for, until when, and that nobody sees one twice."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.audit.models import Event
from apps.merchants.models import ApiKey, ConformanceReport, Merchant, Mode, Scope, Store, Terminal, Vendor
from apps.merchants.operations import (
    ConformanceMissing,
    Grant,
    KeyRefused,
    authorise_vendor,
    create_merchant,
    create_vendor,
    enrol_terminal,
    issue_key,
    issue_vendor_key,
    record_conformance_report,
    revoke_key,
    withdraw_authorisation,
)
from apps.merchants.queries import VendorUnknown, holder_of, terminal_of, terminal_seen, visible_terminals

pytestmark = pytest.mark.django_db(transaction=True)
ACTOR = "test"


@pytest.fixture
def shop(db: None) -> Merchant:
    """A live merchant with a terminal in each of two stores."""
    merchant, _ = create_merchant("Shop", at=timezone.now(), actor=ACTOR)
    for store in ("Shibuya", "Ginza"):
        enrol_terminal(merchant, f"{store.lower()}-1", store_name=store, at=timezone.now(), actor=ACTOR)
    return merchant


def key_of(merchant: Merchant, **grant: Any) -> str:
    return issue_key(merchant, name="key", grant=Grant(**grant), at=timezone.now(), actor=ACTOR).key


def vendor_key(vendor: Vendor, mode: Mode = Mode.LIVE) -> str:
    return issue_vendor_key(vendor, mode=mode, name="key", at=timezone.now(), actor=ACTOR).key


def seen_by(key: str) -> set[str]:
    holder = holder_of(key)
    assert holder
    codes = set(visible_terminals(holder).values_list("code", flat=True))
    assert codes == {code for code in Terminal.objects.values_list("code", flat=True) if terminal_of(code, holder)}
    return codes


def ask(method: str, path: str, key: str, language: str = "en") -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {key}", "accept-language": language}
    answer = Client().generic(method, path, b"{}", content_type="application/json", headers=headers)
    return answer.status_code, answer.json() if answer.content else None


@contextmanager
def queries(most: int) -> Iterator[None]:
    with CaptureQueriesContext(connection) as seen:
        yield
    assert len(seen) <= most, [query["sql"] for query in seen]


# --- scopes ---


@pytest.mark.parametrize(
    ("method", "path", "enough"),
    [
        ("POST", "/v1/purchases", {"report"}),
        ("GET", "/v1/purchases", {"read"}),
        ("HEAD", "/v1/purchases", {"read"}),
        ("GET", "/v1/terminals/shibuya-1", {"read", "report"}),
        ("POST", "/v1/terminals", {"enrol"}),
        ("POST", "/v1/terminals/shibuya-1/enrolment-codes", {"enrol"}),
    ],
)
def test_a_key_does_what_its_scopes_allow(shop: Merchant, method: str, path: str, enough: set[str]) -> None:
    for scope in Scope.values:
        status, content = ask(method, path, key_of(shop, scopes=[scope]))
        refused = status == 403
        assert refused == (scope not in enough)
        if refused and content:
            assert content["error"]["code"] == "scope_missing"
            assert all(name in content["error"]["message"] for name in enough)


def test_a_missing_scope_is_said_in_japanese(shop: Merchant) -> None:
    _, content = ask("POST", "/v1/terminals", key_of(shop, scopes=["read"]), language="ja")
    assert "enrol" in content["error"]["message"]
    assert "APIキー" in content["error"]["message"]


# --- whom a key speaks for ---


def test_a_key_sees_its_merchants_terminals_or_those_of_its_stores(shop: Merchant) -> None:
    rival, rival_key = create_merchant("Rival", at=timezone.now(), actor=ACTOR)
    enrol_terminal(rival, "rival-1", at=timezone.now(), actor=ACTOR)
    assert seen_by(key_of(shop)) == {"shibuya-1", "ginza-1"}
    assert seen_by(key_of(shop, stores=[Store.objects.get(name="Ginza")])) == {"ginza-1"}
    assert seen_by(rival_key) == {"rival-1"}
    with pytest.raises(KeyRefused, match="stores of Shop"):
        key_of(shop, stores=[Store.objects.get(name="rival-1")])


def test_a_vendors_key_sees_who_authorised_it_in_its_mode(shop: Merchant) -> None:
    now = timezone.now()
    tests, _ = create_merchant("Tests", mode=Mode.TEST, at=now, actor=ACTOR)
    rival, _ = create_merchant("Rival", at=now, actor=ACTOR)
    for merchant in (tests, rival):
        enrol_terminal(merchant, f"{merchant.name.lower()}-1", at=now, actor=ACTOR)
    vendor, other = (create_vendor(name, conformance_required=False, at=now, actor=ACTOR) for name in ("A", "B"))
    live, test, of_other = vendor_key(vendor), vendor_key(vendor, Mode.TEST), vendor_key(other)
    assert seen_by(live) == seen_by(test) == seen_by(of_other) == set()
    for merchant in (shop, tests):
        assert authorise_vendor(vendor, merchant, at=now, actor=ACTOR)
        assert not authorise_vendor(vendor, merchant, at=now, actor=ACTOR)
    assert authorise_vendor(other, shop, at=now, actor=ACTOR)
    assert seen_by(live) == seen_by(of_other) == {"shibuya-1", "ginza-1"}
    assert seen_by(test) == {"tests-1"}
    assert withdraw_authorisation(vendor, shop, at=now, actor=ACTOR)
    assert not withdraw_authorisation(vendor, shop, at=now, actor=ACTOR)
    assert (seen_by(live), seen_by(of_other)) == (set(), {"shibuya-1", "ginza-1"})
    authorise_vendor(vendor, shop, at=now, actor=ACTOR)
    assert seen_by(live) == {"shibuya-1", "ginza-1"}


def test_a_key_and_a_terminal_take_a_query_each(shop: Merchant) -> None:
    vendor = create_vendor("A", conformance_required=False, at=timezone.now(), actor=ACTOR)
    authorise_vendor(vendor, shop, at=timezone.now(), actor=ACTOR)
    for key in (key_of(shop, stores=Store.objects.all()), vendor_key(vendor)):
        with queries(1):
            holder = holder_of(key)
        assert holder
        with queries(1):
            assert terminal_of("ginza-1", holder)


def test_a_terminals_particulars(shop: Merchant) -> None:
    terminal = enrol_terminal(shop, "till-3", store_name="Ginza", public_key=b"k" * 32, at=timezone.now(), actor=ACTOR)
    with queries(1):
        seen = terminal_seen(terminal.pk)
    assert (seen.code, seen.store, seen.sealed, seen.replaced_by) == ("till-3", "Ginza", True, None)


# --- until when ---


def test_a_revoked_or_expired_key_is_no_key(shop: Merchant) -> None:
    now = timezone.now()
    issued = issue_key(shop, name="key", at=now, actor=ACTOR)
    expiring = key_of(shop, expires_at=now + timedelta(hours=1))
    assert holder_of(issued.key)
    assert holder_of(expiring)
    assert revoke_key(issued.key_id, at=now, actor=ACTOR)
    assert not revoke_key(issued.key_id, at=now, actor=ACTOR)
    ApiKey.objects.filter(expires_at__isnull=False).update(expires_at=now)
    assert holder_of(issued.key) is None
    assert holder_of(expiring) is None
    assert ask("POST", "/v1/terminals", issued.key)[0] == 401
    with pytest.raises(KeyRefused, match="in the future"):
        key_of(shop, expires_at=now - timedelta(seconds=1))


def test_when_a_key_was_last_used_is_kept_by_the_minute(shop: Merchant) -> None:
    issued = issue_key(shop, name="key", at=timezone.now(), actor=ACTOR)
    row = ApiKey.objects.get(pk=issued.key_id)
    assert row.last_used_at is None
    ask("POST", "/v1/terminals", issued.key)
    row.refresh_from_db()
    first = row.last_used_at
    assert first
    ask("POST", "/v1/terminals", issued.key)
    row.refresh_from_db()
    assert row.last_used_at == first
    ApiKey.objects.filter(pk=row.pk).update(last_used_at=first - timedelta(seconds=61))
    ask("POST", "/v1/terminals", issued.key)
    row.refresh_from_db()
    assert row.last_used_at
    assert row.last_used_at > first


# --- what is kept ---


def test_no_key_can_be_read_back(shop: Merchant) -> None:
    key = key_of(shop)
    with connection.cursor() as cursor:
        for table in ("merchants_apikey", "audit_event"):
            cursor.execute(f"SELECT t::text FROM {table} t")
            assert not any(key[13:] in row[0] for row in cursor.fetchall())
    event = Event.objects.latest("pk")
    assert (event.action, event.actor, event.subject) == ("key.issue", ACTOR, f"merchant:{shop.pk}")
    assert event.detail["hint"] == key[:12]


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"merchant": None}, "key_of_merchant_or_vendor"),
        ({"scopes": []}, "key_scopes"),
        ({"scopes": ["report", "all"]}, "key_scopes"),
        ({"mode": "demo"}, "key_mode"),
    ],
)
def test_the_database_refuses_a_key_that_none_may_have(
    shop: Merchant, changes: dict[str, Any], constraint: str
) -> None:
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        ApiKey.objects.filter(merchant=shop).update(**changes)


def test_a_key_is_of_a_merchant_or_of_a_vendor_never_of_both(shop: Merchant) -> None:
    vendor = create_vendor("A", at=timezone.now(), actor=ACTOR)
    with pytest.raises(IntegrityError, match="key_of_merchant_or_vendor"), transaction.atomic():
        ApiKey.objects.filter(merchant=shop).update(vendor=vendor)


@pytest.mark.usefixtures("one_machine")
def test_keys_from_before_keep_working(shop: Merchant) -> None:
    """The migration gives the keys there are their merchant's mode and every scope."""
    executor = MigrationExecutor(connection)
    try:
        executor.migrate([("merchants", "0001_initial")])
        with connection.cursor() as cursor:
            cursor.execute("UPDATE merchants_merchant SET mode = 'test'")
    finally:
        executor = MigrationExecutor(connection)
        executor.migrate(executor.loader.graph.leaf_nodes())
    kept = ApiKey.objects.get()
    assert (kept.mode, kept.scopes, kept.merchant) == ("test", ["report", "read", "enrol"], shop)


# --- conformance ---


def test_a_vendor_gets_a_live_key_when_its_report_is_on_record(shop: Merchant) -> None:
    now = timezone.now()
    vendor = create_vendor("Acme", at=now, actor=ACTOR)
    assert vendor_key(vendor, Mode.TEST).startswith("kp_test_")
    with pytest.raises(ConformanceMissing, match="Run the conformance kit"):
        vendor_key(vendor)
    for _ in range(2):
        record_conformance_report("Acme", "till", "2.1", '{"passed": 40}', at=now, actor=ACTOR)
    report = ConformanceReport.objects.get()
    assert (report.vendor, report.product, report.version, len(bytes(report.sha256))) == (vendor, "till", "2.1", 32)
    assert Event.objects.filter(action="vendor.conformance").count() == 1
    assert vendor_key(vendor).startswith("kp_live_")
    with pytest.raises(VendorUnknown):
        record_conformance_report("Nobody", "till", "2.1", "{}", at=now, actor=ACTOR)


# --- commands ---


def run(*arguments: str) -> dict[str, Any]:
    out = StringIO()
    call_command(*arguments, "--json", stdout=out)
    result: dict[str, Any] = json.loads(out.getvalue())
    return result


def test_keys_are_issued_and_revoked_by_command(shop: Merchant) -> None:
    issued = run("issue_key", "Shop", "--name", "till", "--scope", "read", "--scope", "report", "--store", "Ginza")
    holder = holder_of(issued["api_key"])
    assert holder
    assert set(holder.scopes) == {"read", "report"}
    assert seen_by(issued["api_key"]) == {"ginza-1"}
    assert run("revoke_key", issued["api_key"][:12])["revoked_now"]
    assert holder_of(issued["api_key"]) is None
    assert not run("revoke_key", str(issued["key"]))["revoked_now"]
    timed = run("issue_key", "Shop", "--name", "x", "--scope", "read", "--expires", "2099-01-01")
    assert ApiKey.objects.get(pk=timed["key"]).expires_at
    for wrong in (
        ("issue_key", "Shop", "--name", "x", "--scope", "read", "--store", "Harajuku"),
        ("issue_key", "--name", "x", "--scope", "read"),
        ("issue_key", "Shop", "--vendor", "Acme", "--name", "x", "--scope", "read"),
        ("issue_key", "--vendor", "Acme", "--name", "x", "--scope", "read"),
        ("issue_key", "Shop", "--name", "x", "--scope", "write"),
        ("issue_key", "Shop", "--name", "x", "--scope", "read", "--expires", "2001-01-01"),
        ("revoke_key", "kp_live_zzzz"),
    ):
        with pytest.raises(CommandError):
            run(*wrong)


def test_vendors_are_entered_and_authorised_by_command(shop: Merchant) -> None:
    assert run("create_vendor", "Acme")["conformance_required"]
    with pytest.raises(CommandError, match="on record"):
        run("create_vendor", "Acme")
    live = ("issue_key", "--vendor", "Acme", "--mode", "live", "--name", "x", "--scope", "report")
    with pytest.raises(CommandError, match="conformance_missing"):
        run(*live)
    record_conformance_report("Acme", "till", "1", "{}", at=timezone.now(), actor=ACTOR)
    key = run(*live)["api_key"]
    assert run("authorise_vendor", "Acme", "Shop")["changed_now"]
    assert seen_by(key) == {"shibuya-1", "ginza-1"}
    assert run("authorise_vendor", "Acme", "Shop", "--withdraw")["changed_now"]
    assert seen_by(key) == set()
    actions = Event.objects.filter(subject__startswith="vendor:").order_by("pk").values_list("action", flat=True)
    assert list(actions) == [
        "vendor.create",
        "vendor.conformance",
        "key.issue",
        "vendor.authorise",
        "vendor.withdraw",
    ]

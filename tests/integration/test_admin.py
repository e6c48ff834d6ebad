"""The administration at /admin/: who gets in, what may change and with which event, and secrets that show once."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.contrib.sessions.models import Session
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from playwright.sync_api import Page, expect

from apps.audit.administration import site
from apps.audit.models import Event
from apps.merchants.keys import public_key_text
from apps.merchants.models import ApiKey, Merchant, Mode, Store, Terminal, Vendor, VendorAuthorisation
from apps.merchants.operations import (
    authorise_vendor,
    create_merchant,
    create_vendor,
    enrol_terminal,
    issue_enrolment_code,
    issue_key,
    issue_vendor_key,
    record_conformance_report,
    register_key,
)
from apps.merchants.queries import holder_of
from tests.signing_in import begin_session

PASSWORD = "a-long-enough-password"
LISTS = (
    "merchant", "store", "terminal", "apikey", "vendor", "vendorauthorisation", "conformancereport",
)  # fmt: skip


@pytest.fixture
def shop(db: None) -> Merchant:
    """A merchant with a sealed terminal that has had two keys, an authorised vendor, and its report."""
    now = timezone.now()
    merchant, _ = create_merchant("Shop", registration_number="T1234567890123", at=now, actor="test")
    terminal = enrol_terminal(merchant, "till-1", store_name="Shibuya", public_key=b"k" * 32, at=now, actor="test")
    code = issue_enrolment_code(terminal.pk, at=now, actor="test").enrolment_code
    register_key("till-1", enrolment_code=code, public_key=b"l" * 32, at=now)
    vendor = create_vendor("Acme", at=now, actor="test")
    authorise_vendor(vendor, merchant, at=now, actor="test")
    record_conformance_report("Acme", "till", "2.1", '{"passed": 40}', at=now, actor="test")
    return merchant


@pytest.fixture
def staff(client: Client, shop: Merchant) -> Client:
    """An administrator's browser, in English."""
    client.force_login(User.objects.create_superuser("mori", password=PASSWORD))
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    return client


def page(client: Client, path: str, **more: Any) -> str:
    answer = client.get(f"/admin/{path}", **more)
    assert answer.status_code == 200, path
    return answer.content.decode()


def last_event() -> tuple[str, str, str]:
    event = Event.objects.latest("pk")
    return event.action, event.subject, event.actor


def secret_in(html: str) -> str:
    found = re.findall(r"<dd><code>(.+?)</code></dd>", html)
    assert len(found) == 1, html
    return str(found[0])


def errors_in(html: str) -> list[str]:
    return [re.sub("<.*?>", "", error) for error in re.findall(r'<ul class="errorlist.*?</ul>', html, re.DOTALL)]


# --- who gets in ---


def test_only_staff_get_in_and_only_to_merchants_and_schemes(client: Client, shop: Merchant) -> None:
    assert client.get("/admin/")["Location"].startswith("/admin/login/")
    client.force_login(User.objects.create_user("hanako", password=PASSWORD))
    assert client.get("/admin/merchants/apikey/")["Location"].startswith("/admin/login/")
    assert {model._meta.model_name for model in site._registry} == {*LISTS, "schemeversion", "taxyear"}
    viewer = User.objects.create_user("viewer", password=PASSWORD, is_staff=True)
    client.force_login(viewer)
    assert client.get("/admin/merchants/apikey/").status_code == 403


@pytest.mark.parametrize("name", LISTS)
def test_every_list_is_searched_and_shown_in_both_languages(staff: Client, name: str) -> None:
    for language in ("en", "ja"):
        html = page(staff, f"merchants/{name}/?q=till", headers={"accept-language": language})
        assert f'lang="{language}"' in html
    model = next(model for model in site._registry if model._meta.model_name == name)
    row = model._default_manager.first()
    assert row
    html = page(staff, f"merchants/{name}/{row.pk}/change/")
    assert "deletelink" not in html
    assert staff.post(f"/admin/merchants/{name}/{row.pk}/delete/", {"post": "yes"}).status_code == 403
    page(staff, f"merchants/{name}/add/")


def test_the_site_speaks_japanese(staff: Client) -> None:
    html = page(staff, "", headers={"accept-language": "ja"})
    for words in ("還付 管理画面", "事業者", "店舗", "端末", "APIキー", "ソフトウェア会社", "適合報告書", "English"):
        assert words in html
    html = page(staff, "merchants/apikey/add/", headers={"accept-language": "ja"})
    for words in ("購入の報告", "権限", "有効期限"):
        assert words in html


@pytest.mark.parametrize("name", LISTS)
def test_a_list_takes_as_many_queries_for_many_rows(staff: Client, shop: Merchant, name: str) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            page(staff, f"merchants/{name}/")
        return len(seen)

    queries()
    few = queries()
    now = timezone.now()
    for n in range(20):
        merchant, _ = create_merchant(f"Shop {n}", at=now, actor="test")
        enrol_terminal(merchant, f"till-1-{n}", at=now, actor="test")
        authorise_vendor(create_vendor(f"Vendor {n}", at=now, actor="test"), merchant, at=now, actor="test")
        record_conformance_report(f"Vendor {n}", "till", "1", "{}", at=now, actor="test")
    assert queries() == few


# --- keys ---


def key_form(**changes: Any) -> dict[str, Any]:
    return {"name": "back office", "scopes": ["read"], "mode": "", "stores": []} | changes


def test_a_key_is_shown_once_and_kept_nowhere(staff: Client, shop: Merchant) -> None:
    store = Store.objects.get(name="Shibuya")
    answer = staff.post("/admin/merchants/apikey/add/", key_form(merchant=shop.pk, stores=[store.pk]))
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    key = secret_in(answer.content.decode())
    holder = holder_of(key)
    assert holder
    assert (holder.merchant_id, holder.mode, holder.scopes, holder.stores) == (shop.pk, "live", ["read"], [store.pk])
    assert last_event() == ("key.issue", f"merchant:{shop.pk}", "staff:mori")
    assert key not in page(staff, "merchants/apikey/") + page(staff, f"merchants/apikey/{holder.key_id}/change/")
    with connection.cursor() as cursor:
        for table in ("django_admin_log", "django_session", "audit_event", "merchants_apikey"):
            cursor.execute(f"SELECT t::text FROM {table} t")
            assert not any(key[13:] in row[0] for row in cursor.fetchall())
    assert not any(key in str(session.get_decoded()) for session in Session.objects.all())
    assert key[13:] not in str(staff.cookies)
    assert LogEntry.objects.get().object_id == str(holder.key_id)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "of a merchant or of a software maker"),
        ({"merchant": "Shop", "vendor": "Acme"}, "of a merchant or of a software maker"),
        ({"merchant": "Shop", "stores": ["Ginza"]}, "Choose stores of the merchant."),
        ({"vendor": "Acme"}, "Choose a mode."),
        ({"vendor": "Acme", "mode": "live", "stores": ["Shibuya"]}, "Only a merchant"),
        ({"vendor": "Untested", "mode": "live"}, "need a conformance report"),
        ({"merchant": "Shop", "scopes": []}, "required"),
        ({"merchant": "Shop", "expires_at_0": "2001-01-01", "expires_at_1": "00:00"}, "in the future"),
    ],
)
def test_a_key_that_cannot_be_is_explained(staff: Client, shop: Merchant, changes: dict[str, Any], words: str) -> None:
    rival, _ = create_merchant("Rival", at=timezone.now(), actor="test")
    Store.objects.create(merchant=rival, name="Ginza")
    create_vendor("Untested", at=timezone.now(), actor="test")
    numbers: dict[str, Callable[[Any], Any]] = {
        "merchant": lambda name: Merchant.objects.get(name=name).pk,
        "vendor": lambda name: Vendor.objects.get(name=name).pk,
        "stores": lambda names: [Store.objects.get(name=name).pk for name in names],
    }
    form = key_form(**{name: numbers.get(name, lambda v: v)(value) for name, value in changes.items()})
    before = ApiKey.objects.count()
    html = staff.post("/admin/merchants/apikey/add/", form).content.decode()
    assert any(words in error for error in errors_in(html)), errors_in(html)
    assert "is violated" not in html
    assert ApiKey.objects.count() == before


def test_a_vendors_key_is_issued_when_its_report_is_there(staff: Client, shop: Merchant) -> None:
    vendor = Vendor.objects.get(name="Acme")
    for mode in Mode.values:
        answer = staff.post("/admin/merchants/apikey/add/", key_form(vendor=vendor.pk, mode=mode))
        holder = holder_of(secret_in(answer.content.decode()))
        assert holder
        assert (holder.vendor_id, holder.mode) == (vendor.pk, mode)


def test_keys_are_revoked_after_a_question(staff: Client, shop: Merchant) -> None:
    issued = [issue_key(shop, name=f"key {n}", at=timezone.now(), actor="test") for n in range(3)]
    chosen = {"action": "revoke", "_selected_action": [key.key_id for key in issued[:2]]}
    question = staff.post("/admin/merchants/apikey/", chosen).content.decode()
    assert "Revoke these keys?" in question
    assert "key 0" in question
    assert "key 2" not in question
    assert all(holder_of(key.key) for key in issued)
    answer = staff.post("/admin/merchants/apikey/", chosen | {"confirmed": "yes"}, follow=True)
    assert "2 keys were revoked." in answer.content.decode()
    assert [bool(holder_of(key.key)) for key in issued] == [False, False, True]
    assert last_event() == ("key.revoke", f"merchant:{shop.pk}", "staff:mori")


def test_an_issued_key_cannot_be_changed(staff: Client, shop: Merchant) -> None:
    key = ApiKey.objects.get()
    assert staff.post(f"/admin/merchants/apikey/{key.pk}/change/", key_form(merchant=shop.pk)).status_code == 403


def test_who_may_only_look_cannot_revoke(client: Client, shop: Merchant) -> None:
    viewer = User.objects.create_user("viewer", password=PASSWORD, is_staff=True)
    viewer.user_permissions.add(*_permissions("view_apikey", "view_terminal"))
    client.force_login(viewer)
    for name, action in (("apikey", "revoke"), ("terminal", "new_code")):
        rows = (ApiKey if name == "apikey" else Terminal).objects.values_list("pk", flat=True)
        chosen = {"action": action, "_selected_action": list(rows), "confirmed": "yes"}
        answer = client.post(f"/admin/merchants/{name}/", chosen, follow=True)
        assert "<code>" not in answer.content.decode()
    assert ApiKey.objects.get().revoked_at is None
    assert client.post("/admin/merchants/apikey/add/", key_form(merchant=shop.pk)).status_code == 403


def _permissions(*names: str) -> Any:
    return Permission.objects.filter(codename__in=names)


# --- merchants, terminals, vendors ---


def test_a_new_merchant_gets_its_first_key(staff: Client) -> None:
    form = {"name": "Bakery", "registration_number": "T9999999999999", "trade": "5863", "mode": "test"}
    key = secret_in(staff.post("/admin/merchants/merchant/add/", form).content.decode())
    assert key.startswith("kp_test_")
    merchant = Merchant.objects.get(name="Bakery")
    assert last_event() == ("key.issue", f"merchant:{merchant.pk}", "staff:mori")
    assert errors_in(
        staff.post("/admin/merchants/merchant/add/", form | {"registration_number": "T1"}).content.decode()
    )


def test_a_change_is_an_event_that_says_from_what_to_what(staff: Client, shop: Merchant) -> None:
    form = {"name": "Shop & Sons", "registration_number": "T1234567890123", "trade": "", "mode": "test"}
    assert staff.post(f"/admin/merchants/merchant/{shop.pk}/change/", form).status_code == 302
    shop.refresh_from_db()
    assert (shop.name, shop.mode) == ("Shop & Sons", "live")
    assert last_event() == ("merchant.change", f"merchant:{shop.pk}", "staff:mori")
    detail = Event.objects.latest("pk").detail
    assert detail == {"before": {"name": "Shop"}, "after": {"name": "Shop & Sons"}}


def test_a_terminal_is_enrolled_with_a_code_or_a_key_and_moved(staff: Client, shop: Merchant) -> None:
    store = Store.objects.get(name="Shibuya")
    form = {"code": "till-2", "merchant": shop.pk, "store": store.pk, "region": "13", "till_key": ""}
    assert len(secret_in(staff.post("/admin/merchants/terminal/add/", form).content.decode())) == 26
    assert last_event() == ("terminal.enrol", "terminal:till-2", "staff:mori")
    sealed = form | {"code": "till-3", "till_key": public_key_text(b"p" * 32)}
    assert staff.post("/admin/merchants/terminal/add/", sealed).status_code == 302
    for wrong in ({"code": "Till 9"}, {"till_key": "x"}, {"latitude": "35"}, {"code": "till-2"}, {"region": "東京"}):
        html = staff.post("/admin/merchants/terminal/add/", form | {"code": "till-9"} | wrong).content.decode()
        assert len(errors_in(html)) >= 1
        assert "is violated" not in html
    terminal = Terminal.objects.get(code="till-3")
    moved = {"store": store.pk, "region": "27", "latitude": "34.7", "longitude": "135.5", **inline()}
    assert staff.post(f"/admin/merchants/terminal/{terminal.pk}/change/", moved).status_code == 302
    terminal.refresh_from_db()
    assert (terminal.region, terminal.code, bytes(terminal.public_key or b"")) == ("27", "till-3", b"p" * 32)
    assert last_event() == ("terminal.change", "terminal:till-3", "staff:mori")
    foreign = Store.objects.create(merchant=create_merchant("Rival", at=timezone.now(), actor="test")[0], name="Ginza")
    answer = staff.post(f"/admin/merchants/terminal/{terminal.pk}/change/", moved | {"store": foreign.pk})
    assert any("Choose a store of the merchant" in error for error in errors_in(answer.content.decode()))


def inline() -> dict[str, str]:
    return {"keys-TOTAL_FORMS": "0", "keys-INITIAL_FORMS": "0"}


def test_a_terminals_page_shows_every_key_it_has_had(staff: Client) -> None:
    html = page(staff, f"merchants/terminal/{Terminal.objects.get().pk}/change/")
    assert public_key_text(b"k" * 32) in html
    assert public_key_text(b"l" * 32) in html


def test_a_till_gets_a_new_code(staff: Client) -> None:
    terminal = Terminal.objects.get()
    chosen = {"action": "new_code", "_selected_action": [terminal.pk]}
    code = secret_in(staff.post("/admin/merchants/terminal/", chosen).content.decode())
    assert last_event() == ("terminal.code", "terminal:till-1", "staff:mori")
    register_key("till-1", enrolment_code=code, public_key=b"m" * 32, at=timezone.now())


def test_a_vendor_is_entered_authorised_and_withdrawn(staff: Client, shop: Merchant) -> None:
    form = {"name": "Tills Ltd", "conformance_required": "on"}
    assert staff.post("/admin/merchants/vendor/add/", form).status_code == 302
    vendor = Vendor.objects.get(name="Tills Ltd")
    assert last_event() == ("vendor.create", f"vendor:{vendor.pk}", "staff:mori")
    pair = {"vendor": vendor.pk, "merchant": shop.pk}
    assert staff.post("/admin/merchants/vendorauthorisation/add/", pair).status_code == 302
    assert last_event() == ("vendor.authorise", f"vendor:{vendor.pk}", "staff:mori")
    again = staff.post("/admin/merchants/vendorauthorisation/add/", pair).content.decode()
    assert any("already" in error for error in errors_in(again))
    row = VendorAuthorisation.objects.get(vendor=vendor)
    chosen = {"action": "withdraw", "_selected_action": [row.pk]}
    assert "Withdraw these" in staff.post("/admin/merchants/vendorauthorisation/", chosen).content.decode()
    row.refresh_from_db()
    assert row.withdrawn_at is None
    staff.post("/admin/merchants/vendorauthorisation/", chosen | {"confirmed": "yes"})
    row.refresh_from_db()
    assert row.withdrawn_at
    report = {"vendor": vendor.pk, "product": "till", "version": "3", "report": '{"passed": 41}'}
    assert staff.post("/admin/merchants/conformancereport/add/", report).status_code == 302
    assert last_event() == ("vendor.conformance", f"vendor:{vendor.pk}", "staff:mori")
    issue_vendor_key(vendor, mode=Mode.LIVE, name="x", at=timezone.now(), actor="test")


def test_the_database_refuses_half_a_place(shop: Merchant) -> None:
    with pytest.raises(IntegrityError, match="place_is_whole"), transaction.atomic():
        Terminal.objects.update(latitude=35)


# --- in a browser ---


@pytest.mark.browser
def test_an_administrator_issues_and_revokes_a_key(live_server: Any, page: Page, transactional_db: None) -> None:
    now = timezone.now()
    merchant, _ = create_merchant("Matsuya", at=now, actor="test")
    enrol_terminal(merchant, "till-1", store_name="Shibuya", at=now, actor="test")
    User.objects.create_superuser("mori", password=PASSWORD)
    refused: list[str] = []
    page.on("console", lambda said: refused.append(said.text) if said.type == "error" else None)
    begin_session(page, live_server.url, "mori")
    page.goto(f"{live_server.url}/admin/merchants/apikey/add/")
    page.locator(".field-merchant .select2-selection").click()
    page.locator(".select2-results__option", has_text="Matsuya").click()
    page.locator("#id_name").fill("back office")
    page.locator("input[name=_save]").click()
    key = page.locator(".secrets code").inner_text()
    assert holder_of(key)
    page.goto(f"{live_server.url}/admin/merchants/apikey/")
    expect(page.locator("body")).not_to_contain_text(key)
    page.locator("tr", has_text="back office").locator("input.action-select").check()
    page.locator("select[name=action]").select_option("revoke")
    page.locator("button[name=index]").click()
    page.locator("#content [type=submit]").click()
    expect(page.locator(".messagelist")).to_be_visible()
    assert holder_of(key) is None
    for width in (360, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        for path in ("", "merchants/apikey/add/", "merchants/terminal/add/"):
            page.goto(f"{live_server.url}/admin/{path}")
            assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth"), (path, width)
    assert refused == []

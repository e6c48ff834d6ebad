"""The pages that residents, auditors and till makers open: what they show, to whom, and at what cost."""

import re
import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone, translation
from playwright.sync_api import Page, expect

from apps.accruals.models import Entry, Total
from apps.audit.operations import Cause, raise_alarms
from apps.merchants.catalogue import CATALOGUE
from apps.refunds.operations.approving import undo_step
from apps.refunds.operations.assessing import assess_run
from apps.refunds.operations.freezing import freeze
from apps.refunds.operations.verifying import AssessmentsDiffer, verify_run
from tests.pages import (
    PASSWORD,
    YEAR,
    approve,
    assert_fits_in_both_languages,
    auditor,
    buy,
    queries_of,
    resident,
    settle,
    shown,
)
from tests.signing_in import begin_session

# --- the resident's year ---


def test_resident_reads_how_the_refund_came_about_in_both_languages(client: Client, terminal: int) -> None:
    buy(resident("hanako"), terminal, {"reduced": 60_000, "standard": 50_000}, {"reduced": 40_000})
    settle(freeze, assess_run, verify_run)
    english = shown(client, f"/year/{YEAR}", as_user="hanako")
    assert "¥1,818 Computed twice in two independent ways" in english
    assert "¥100,000 × (10% − 8%) ÷ (1 + 10%) = ¥1,818.1818…" in english
    assert "¥50,000 × (10% − 10%) ÷ (1 + 10%) = ¥0" in english
    assert "Act on General Rules for National Taxes, article 120" in english
    assert "At most ¥4,000 a person and year: not reached" in english
    assert "Shibuya store" in english
    japanese = shown(client, f"/year/{YEAR}", language="ja")
    assert "1,818円 別々の方法で2回計算し" in japanese
    assert "100,000円 × (10% − 8%) ÷ (1 + 10%) = 1,818.1818…円" in japanese
    assert "国税通則法120条" in japanese
    assert "飲食料品" in japanese


def test_before_a_run_the_refund_is_so_far(client: Client, terminal: int) -> None:
    buy(resident("hanako"), terminal, {"reduced": 1_100_000})
    page = shown(client, f"/year/{YEAR}", as_user="hanako")
    assert "Refund so far ¥4,000 This is what you would get back" in page
    assert "The limit is reached" in page
    settle(freeze, assess_run)
    assert "¥4,000 Computed once." in shown(client, f"/year/{YEAR}")


def test_what_is_counted_after_the_cut_off_is_said(client: Client, terminal: int) -> None:
    ref = resident("hanako")
    buy(ref, terminal, {"reduced": 11_000})
    settle(freeze, assess_run, verify_run)
    buy(ref, terminal, {"reduced": 5_500}, run=2)
    page = shown(client, f"/year/{YEAR}", as_user="hanako")
    assert "Purchases of ¥5,500 were counted after that" in page
    assert "¥200 Computed twice" in page
    approve()
    settle(freeze, assess_run, verify_run)
    assert "already found ¥200; this one adds ¥100" in shown(client, f"/year/{YEAR}")


def test_a_year_without_purchases_says_what_to_do(client: Client, terminal: int) -> None:
    resident("hanako")
    page = shown(client, f"/year/{YEAR}", as_user="hanako")
    assert "No purchase was counted in this year yet" in page
    assert '<svg class="chart"' not in page


def test_nobody_sees_another_resident(client: Client, terminal: int) -> None:
    buy(resident("hanako"), terminal, {"reduced": 77_777})
    resident("taro")
    assert "¥77,777" in shown(client, f"/year/{YEAR}", as_user="hanako")
    assert "77,777" not in shown(client, f"/year/{YEAR}", as_user="taro")
    shown(client, f"/year/{YEAR}", as_user=auditor(), status=404)
    client.logout()
    assert client.get(f"/year/{YEAR}")["Location"] == f"/login?next=/year/{YEAR}"


@pytest.mark.parametrize("year", [YEAR - 1, 99_999_999_999])
def test_a_year_not_started_is_not_there(client: Client, terminal: int, year: int) -> None:
    resident("hanako")
    page = shown(client, f"/year/{year}", as_user="hanako", status=404)
    assert "Page not found" in page


def test_the_year_shows_the_five_newest_purchases_and_leads_to_all(client: Client, terminal: int) -> None:
    buy(resident("hanako"), terminal, *({"reduced": 1000 + i} for i in range(120)))
    page = shown(client, f"/year/{YEAR}", as_user="hanako")
    assert page.index("¥1,119") < page.index("¥1,115")
    assert "¥1,114" not in page
    every = f"/purchases?first={YEAR}-01-01&amp;last={YEAR}-12-31"
    assert f'href="{every}"' in client.get(f"/year/{YEAR}").content.decode()
    assert "120 purchases" in shown(client, every.replace("&amp;", "&"))


def test_what_was_given_back_whole_is_not_among_the_newest(client: Client, terminal: int) -> None:
    ref = resident("hanako")
    buy(ref, terminal, {"reduced": 1000}, {"reduced": 1001})
    take_back(ref, Entry.objects.get(seq=2), 3, -1001)
    take_back(ref, Entry.objects.get(seq=1), 4, -1)
    page = shown(client, f"/year/{YEAR}", as_user="hanako")
    assert "¥999" in page
    assert "12:02 p.m." not in page


def take_back(ref: uuid.UUID, sale: Entry, seq: int, amount: int) -> None:
    """A return of a sale, as workers book it."""
    Entry.objects.create(
        resident_ref=ref, tax_year=YEAR, terminal_id=sale.terminal_id, seq=seq, run=1, part=1, month=sale.month,
        at=sale.at, kind="return", of_terminal_id=sale.terminal_id, of_seq=sale.seq, tiers=["reduced"],
        amounts_minor=[amount],
    )  # fmt: skip


def test_a_year_of_500_purchases_takes_as_many_queries_as_one_of_10(client: Client, terminal: int) -> None:
    counts: list[int] = []
    for name, number in (("few", 10), ("many", 500)):
        buy(resident(name), terminal, *({"reduced": 100, "standard": 50} for _ in range(number)))
    for name in ("few", "many"):
        client.force_login(User.objects.get(username=name))
        counts.append(queries_of(client, f"/year/{YEAR}"))
    settle(freeze, assess_run)
    assert counts == [14, 14]
    assert queries_of(client, f"/year/{YEAR}") == 17


def test_purchases_are_told_in_japans_time(client: Client, terminal: int) -> None:
    buy(resident("hanako"), terminal, {"reduced": 100})  # 03:01 UTC
    assert "2017年3月1日12:01" in shown(client, f"/year/{YEAR}", as_user="hanako", language="ja")
    assert "March 1, 2017, 12:01 p.m." in shown(client, f"/year/{YEAR}")


# --- the way in ---


def test_the_first_page_leads_each_to_theirs(client: Client, terminal: int) -> None:
    resident("hanako")
    assert client.get("/")["Location"] == "/login?next=/"
    for name, place in (("hanako", f"/year/{YEAR}"), (auditor(), "/console/")):
        client.post("/login", {"username": name, "password": PASSWORD})
        assert client.get("/")["Location"] == place
        client.post("/logout")


def test_a_wrong_password_is_said(client: Client, db: None) -> None:
    response = client.post("/login", {"username": "x", "password": "y"}, headers={"accept-language": "ja"})
    assert "正しいユーザー名とパスワード" in response.content.decode()


# --- the auditor's run ---


def test_the_console_is_there_for_auditors_only(client: Client, terminal: int) -> None:
    buy(resident("hanako"), terminal, {"reduced": 11_000})
    settle(freeze)
    for path in ("/console/", f"/console/runs/{YEAR}/1"):
        client.logout()
        assert client.get(path)["Location"] == f"/login?next={path}"
        shown(client, path, as_user="hanako", status=404)
    shown(client, f"/console/runs/{YEAR}/2", as_user=auditor(), status=404)


def test_auditor_sees_a_run_on_which_both_assessments_agree(client: Client, terminal: int) -> None:
    for amount in (0, 11_000, 22_000, 1_100_000):
        buy(uuid.uuid4(), terminal, {"reduced": amount, "standard": 1_000})
    settle(freeze)
    waiting = shown(client, f"/console/runs/{YEAR}/1", as_user=auditor())
    assert "The run is not verified yet." in waiting
    settle(assess_run, verify_run)
    page = shown(client, f"/console/runs/{YEAR}/1")
    assert "They agree." in page
    assert "Total refund ¥4,600" in page
    assert "¥0 1 ¥1 – ¥399 1 ¥400 – ¥799 1 ¥800" in page
    assert "¥4,000 (cap) 1" in page
    assert "March ¥1,133,000 ¥4,000 ¥1,137,000 ¥1,137,000 same" in page
    assert "run-01/month-03-part-0001.parquet" in page
    assert "10% from Jan. 1, 2015" in page
    assert "検算済み" in shown(client, "/console/", language="ja")


def test_auditor_sees_on_whom_the_assessments_differ(client: Client, terminal: int) -> None:
    ref = uuid.uuid4()
    buy(ref, terminal, {"reduced": 11_000})
    settle(freeze)
    Total.objects.filter(resident_ref=ref).update(amounts_minor=[0, 0, 22_000, *[0] * 9])
    settle(assess_run)
    with pytest.raises(AssessmentsDiffer):
        settle(verify_run)
    page = shown(client, f"/console/runs/{YEAR}/1", as_user=auditor())
    assert "They do not agree." in page
    assert f"{ref} ¥400 ¥200 reduced=22000 reduced=11000" in page
    assert "March ¥22,000 ¥0 ¥22,000 ¥11,000 differs" in page
    assert "the two assessments do not agree" in shown(client, "/console/")
    settle(undo_step, assess_run)
    assert "The run is not verified yet." in shown(client, f"/console/runs/{YEAR}/1")


def test_the_auditors_pages_cost_the_same_for_any_number_of_residents(client: Client, terminal: int) -> None:
    client.force_login(User.objects.get(username=auditor()))
    counts: list[int] = []
    for residents in (2, 40):
        for _ in range(residents):
            buy(uuid.uuid4(), terminal, {"reduced": 5_000}, run=len(counts) + 1)
        settle(freeze, assess_run, verify_run)
        counts.append(queries_of(client, f"/console/runs/{YEAR}/{len(counts) + 1}"))
        approve()
    assert counts == [11, 11]
    assert queries_of(client, "/console/") == 6


# --- error codes and failures ---


def test_auditors_see_alarms_in_words_and_by_kind(client: Client, db: None) -> None:
    client.force_login(User.objects.get(username=auditor()))
    english = {"Accept-Language": "en"}
    assert "No alarm was raised." in client.get("/console/alarms", headers=english).content.decode()
    now = timezone.now()
    raise_alarms([Cause("chain_fork", f"till-1:{n}", {"seq": n}) for n in range(60)], at=now)
    raise_alarms([Cause("closing_differs", "till-1:9", {"reported": {"reduced": 5}})], at=now)
    page = client.get("/console/alarms?kind=closing_differs", headers=english).content.decode()
    assert "A closing differs from the records" in page
    assert "till-1:9" in page
    assert "till-1:59" not in page
    assert "till-1:5<" in client.get("/console/alarms?kind=chain_fork&page=2", headers=english).content.decode()
    assert "封印済みの記録が異なる内容で再送されました" in client.get("/console/alarms").content.decode()


@pytest.mark.parametrize("language", ["ja", "en"])
def test_every_error_code_has_its_place_and_its_words(client: Client, language: str) -> None:
    page = client.get("/docs/errors", headers={"accept-language": language}).content.decode()
    with translation.override(language):
        for code, error in CATALOGUE.items():
            assert f'id="{code}"' in page
            assert re.sub(r"\{.*?\}", "…", str(error.message)).split("'")[0] in page
            assert str(error.status or "") in page
    assert "{value" not in page


def test_what_fails_is_told_in_words(client: Client, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    resident("hanako")
    strict = Client(enforce_csrf_checks=True, raise_request_exception=False)
    assert "もう一度送信してください" in strict.post("/login", {}).content.decode()
    monkeypatch.setattr("apps.portal.queries.years.newest_year", lambda user: 1 // 0)
    page = shown(strict, "/", as_user="hanako", language="ja", status=500)
    assert "システムに問題が起きました" in page
    assert "本文へ移動" in page


# --- in a browser ---


def sign_in(page: Page, address: str, name: str) -> None:
    """Signed in with two factors, the sign-in leads on to where it was asked for."""
    begin_session(page, address, name)
    page.goto(address)


@pytest.fixture
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """A Japanese reader's browser."""
    return {**browser_context_args, "locale": "ja-JP"}


@pytest.mark.browser
def test_a_resident_signs_in_and_reads_their_year(live_server: Any, page: Page, terminal: int) -> None:
    buy(resident("hanako"), terminal, *({"reduced": 987_654, "standard": 1_234_567} for _ in range(60)))
    begin_session(page, live_server.url, "hanako")
    page.goto(live_server.url)
    expect(page).to_have_url(f"{live_server.url}/year/{YEAR}")
    expect(page.locator(".figure")).to_have_text("4,000円")
    assert_fits_in_both_languages(page)
    page.get_by_role("link", name=f"{YEAR}年の購入をすべて見る").click()
    for rows in (25, 25, 10):
        expect(page.locator(".cards tbody tr")).to_have_count(rows)
        if rows == 25:
            page.get_by_role("link", name="古い購入へ").click()
            expect(page.locator(".pages [aria-current]")).not_to_have_text("3ページ中1ページ目")
    page.get_by_role("button", name="ログアウト").click()
    expect(page).to_have_url(f"{live_server.url}/login")
    assert_fits_in_both_languages(page)


@pytest.mark.browser
def test_an_auditor_signs_in_and_reads_a_run(live_server: Any, page: Page, terminal: int) -> None:
    for amount in (11_000, 9_900_000):
        buy(uuid.uuid4(), terminal, {"reduced": amount, "standard": 987_654_321})
    settle(freeze, assess_run, verify_run)
    sign_in(page, live_server.url, auditor())
    expect(page).to_have_url(f"{live_server.url}/console/")
    assert_fits_in_both_languages(page)
    page.get_by_role("link", name="第1回").click()
    expect(page.get_by_text("一致しています。")).to_be_visible()
    for month in page.locator("summary").all():
        month.click()
    assert_fits_in_both_languages(page)


@pytest.mark.browser
def test_a_till_maker_follows_a_link_to_an_error_code(live_server: Any, page: Page) -> None:
    page.goto(f"{live_server.url}/docs/errors#seq_conflict")
    expect(page.locator("#seq_conflict")).to_be_in_viewport()
    assert_fits_in_both_languages(page)

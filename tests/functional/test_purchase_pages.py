"""A resident searches purchases, opens one and enters a receipt's code: in a browser, by the keyboard alone."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from apps.accruals.models import Entry
from apps.accruals.operations.counting import count_all
from apps.portal.models import Account
from tests.functional.test_pages import sign_in
from tests.integration.test_closings_and_claims import a_claim
from tests.judging import lose, on
from tests.pages import PASSWORD, assert_fits_in_both_languages
from tests.till import RawTill, send
from tests.world import YEAR, World

pytestmark = pytest.mark.browser


@pytest.fixture
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """A Japanese reader's browser."""
    return {**browser_context_args, "locale": "ja-JP"}


@pytest.fixture
def code(world: World) -> str:
    """What a resident bought: counted, returned, held; and a receipt's code of what was bought without the card."""
    user = User.objects.create_user("hanako", password=PASSWORD)
    Account.objects.create(user=user, resident_ref=world.residents[0])
    till, (code, reported) = RawTill(world), a_claim()
    for day in range(1, 29):
        till.sale(at=on(day, 7), reduced=1_234_567, standard=9_876_543)
        till.sale(at=on(day, 9), reduced=100 * day)
    till.give_back(till.records[0], reduced=1)
    till.sale(at=on(2), claim=reported, reduced=4_321)
    send(till)
    count_all()
    lose(world.residents[0], on(28, 9))
    return code


def press(page: Page, key: str, times: int = 1) -> None:
    for _ in range(times):
        page.keyboard.press(key)


def reach(page: Page, name: str) -> None:
    """Tab on until what has this name has the focus."""
    for _ in range(120):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim() || document.activeElement.name") == name:
            return
    raise AssertionError(f"the keyboard does not reach {name}")


def test_purchases_are_searched_and_opened_by_the_keyboard_alone(web: str, page: Page, code: str) -> None:
    sign_in(page, f"{web}/login?next=/purchases", "hanako")
    expect(page.locator("#number")).to_contain_text("56件")
    assert_fits_in_both_languages(page)
    page.set_viewport_size({"width": 1280, "height": 800})
    loads: list[str] = []
    page.on("load", lambda _: loads.append(page.url))
    reach(page, "購入を探す")
    press(page, "Enter")
    reach(page, "least")
    page.keyboard.type("２，０００")
    reach(page, "most")
    page.keyboard.type("2500円")
    press(page, "Enter")
    expect(page.locator("#number")).to_contain_text("6件")
    expect(page.locator(".cards tbody tr")).to_have_count(6)
    assert "least=" in page.url
    assert loads == []  # the list was swapped
    page.go_back()
    expect(page.locator("#number")).to_contain_text("56件")
    page.go_forward()
    expect(page.locator("#number")).to_contain_text("6件")
    assert_fits_in_both_languages(page)
    page.get_by_role("link", name=f"{YEAR}年9月25日").focus()
    press(page, "Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"{YEAR}年9月25日")
    assert_fits_in_both_languages(page)


def test_what_cannot_be_searched_is_said_beside_its_field(web: str, page: Page, code: str) -> None:
    sign_in(page, f"{web}/login?next=/purchases%3Fstate=", "hanako")
    page.get_by_label("合計の下限").fill("たくさん")
    page.keyboard.press("Enter")
    expect(page.get_by_text("金額は「1000」のように数字で")).to_be_visible()
    assert_fits_in_both_languages(page)
    page.get_by_role("link", name="条件を消す").click()
    expect(page.locator("#number")).to_contain_text("件")


def test_the_list_works_without_script(web: str, browser: Any, code: str) -> None:
    context = browser.new_context(java_script_enabled=False, locale="ja-JP")
    page = context.new_page()
    sign_in(page, f"{web}/login?next=/purchases", "hanako")
    page.get_by_text("購入を探す").click()
    page.get_by_label("状態").select_option(label="保留中：あなたの購入ですか。")
    page.get_by_role("button", name="探す", exact=True).click()
    expect(page.locator("#number")).to_contain_text("1件")
    context.close()


def test_a_receipts_code_is_entered_by_the_keyboard_alone(web: str, page: Page, code: str) -> None:
    sign_in(page, f"{web}/login?next=/claim", "hanako")
    assert_fits_in_both_languages(page)
    page.get_by_label("レシートの番号").focus()
    page.keyboard.type("ABC")
    press(page, "Enter")
    expect(page.get_by_text("レシートの番号ではありません。")).to_be_visible()
    assert_fits_in_both_languages(page)
    page.get_by_label("レシートの番号").fill("-".join((code[:5], code[5:10], code[10:])).lower())
    press(page, "Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"{YEAR}年8月2日")
    assert Entry.objects.filter(card=None).exists()
    assert_fits_in_both_languages(page)


def test_the_year_compares_with_last_year_and_stays_light(web: str, page: Page, code: str) -> None:
    sign_in(page, f"{web}/login?next=/year/{YEAR}", "hanako")
    assert_fits_in_both_languages(page)
    linked = page.locator("link[rel=stylesheet], script[src]").evaluate_all(
        "all => all.map(one => one.href || one.src)"
    )
    sizes = [len(page.request.get(address).body()) for address in (page.url, *linked)]
    assert sum(sizes) < 100_000

"""Named as proxy, acting, seen and ended; a household that sees what it is let see: in a real browser."""

from datetime import date
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Page, expect

from apps.accruals.operations.counting import count_all
from apps.portal.models import Account
from apps.residents.models import Proxy
from tests.acting import live_together
from tests.identities import enter
from tests.pages import PASSWORD, assert_fits_in_both_languages
from tests.signing_in import begin_session
from tests.till import RawTill, send
from tests.world import YEAR, World

pytestmark = pytest.mark.browser
NAMES = ("hanako", "taro")


@pytest.fixture
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """A Japanese reader's browser."""
    return {**browser_context_args, "locale": "ja-JP"}


@pytest.fixture
def residents(world: World, web: str) -> list[UUID]:
    """Hanako and Taro, who can sign in and have bought something."""
    till = RawTill(world)
    send(till, *(till.sale(ref, at="2017-04-03T12:00:00+09:00", reduced=yen) for ref, yen in zip(
        world.residents, (110_000, 55_000), strict=True
    )))  # fmt: skip
    count_all()
    for ref, name, login in zip(world.residents, ("山田 花子", "佐藤 太郎"), NAMES, strict=True):
        enter(ref, name=name)
        Account.objects.create(user=User.objects.create_user(login, password=PASSWORD), resident_ref=ref)
    return world.residents


def sign_in(page: Page, web: str, name: str) -> Page:
    begin_session(page, web, name)
    page.goto(web)
    page.wait_for_url(f"{web}/year/**")
    return page


def test_a_proxy_is_named_acts_is_seen_and_ended(
    web: str, residents: list[UUID], browser: Browser, browser_context_args: dict[str, Any]
) -> None:
    hers, his = (sign_in(browser.new_context(**browser_context_args).new_page(), web, who) for who in NAMES)
    his.goto(f"{web}/acting")
    assert_fits_in_both_languages(his)
    his.get_by_role("button", name="コードを発行する").click()
    code = his.locator("#made").inner_text()
    his.set_viewport_size({"width": 360, "height": 800})
    assert his.evaluate("document.scrollingElement.scrollWidth <= innerWidth")

    hers.goto(f"{web}/proxies")
    assert_fits_in_both_languages(hers)
    hers.get_by_label("代理人になる人のコード").fill(code)
    hers.get_by_role("button", name="次へ").click()
    expect(hers.get_by_text("コードの持ち主：佐藤 太郎")).to_be_visible()
    for width in (360, 1280):
        hers.set_viewport_size({"width": width, "height": 800})
        assert hers.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    hers.get_by_label("還付金の振込先を決める").check()
    hers.get_by_role("button", name="代理人にする").click()
    expect(hers.get_by_text("ここにもチェックを入れてください")).to_be_visible()
    hers.get_by_label("還付金の振込先を決める").uncheck()
    hers.get_by_role("button", name="代理人にする").click()
    expect(hers.get_by_role("heading", name="佐藤 太郎")).to_be_visible()
    assert_fits_in_both_languages(hers)
    assert not Proxy.objects.get().may_pay

    his.goto(f"{web}/acting")
    assert_fits_in_both_languages(his)
    his.get_by_role("button", name="この人の代理で操作する").click()
    his.goto(f"{web}/year/{YEAR}")
    expect(his.locator(".figure").first).to_have_text("2,000円")
    assert_fits_in_both_languages(his)
    assert his.goto(f"{web}/choices").status == 404  # type: ignore[union-attr]
    his.goto(f"{web}/acting")
    expect(his.get_by_text("現在、この人の代理で操作しています。")).to_be_visible()
    assert_fits_in_both_languages(his)

    hers.goto(f"{web}/accesses")
    expect(hers.get_by_text("あなたの代理人").first).to_be_visible()
    expect(hers.get_by_text("1年分の還付額と購入").first).to_be_visible()
    hers.goto(f"{web}/proxies")
    hers.get_by_role("button", name="今すぐ終了する").click()
    expect(hers.get_by_text("終了しました。", exact=False).first).to_be_visible()
    expect(hers.get_by_text("代理人はいません。")).to_be_visible()
    assert_fits_in_both_languages(hers)
    assert his.goto(f"{web}/year/{YEAR}").status == 404  # type: ignore[union-attr]
    his.goto(web)
    expect(his.get_by_text("先ほどまで代理をしていた人の代理は、もうできません。")).to_be_visible()
    assert_fits_in_both_languages(his)
    his.get_by_role("button", name="自分のページに戻る").click()
    expect(his.locator(".figure").first).to_have_text("1,000円")


def test_a_household_sees_what_each_adult_lets_it_see(
    web: str, residents: list[UUID], browser: Browser, browser_context_args: dict[str, Any]
) -> None:
    live_together(*residents, start=date(2017, 1, 1))
    hers, his = (sign_in(browser.new_context(**browser_context_args).new_page(), web, who) for who in NAMES)
    hers.goto(f"{web}/household?year={YEAR}")
    expect(hers.get_by_text("ほかの世帯員1人の情報は表示されていません。")).to_be_visible()
    his.goto(f"{web}/household")
    assert_fits_in_both_languages(his)
    his.get_by_role("button", name="ほかの世帯員に表示する").click()
    assert_fits_in_both_languages(his)
    hers.reload()
    expect(hers.get_by_role("heading", name="佐藤 太郎")).to_be_visible()
    expect(hers.get_by_role("article").last).to_contain_text("1,000円")
    assert_fits_in_both_languages(hers)
    his.get_by_role("button", name="表示をやめる").click()
    hers.goto(f"{web}/household?year={YEAR}")
    expect(hers.get_by_role("heading", name="佐藤 太郎")).to_have_count(0)

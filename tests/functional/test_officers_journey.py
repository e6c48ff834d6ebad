"""In a browser: an officer enrols a key, breaks glass with a second officer, and the resident reads of it."""

from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Page, expect

from apps.audit.models import BreakGlass, NoticeDelay
from apps.audit.officers import Role
from apps.portal.models import Account
from apps.residents.models import Resident
from tests.offices import HANAKO, PASSWORD, identify, officer
from tests.pages import assert_fits_in_both_languages
from tests.signing_in import begin_session, on_localhost, virtual_authenticator
from tests.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
REASON = "窓口にご本人がおられ、担当者が不在のため"


@pytest.fixture
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """A Japanese officer's browser."""
    return {**browser_context_args, "locale": "ja-JP"}


@pytest.fixture
def ref(web: str, world: World) -> UUID:
    """Hanako, protected, with a sign-in."""
    ref = world.residents[0]
    identify(ref)
    Resident.objects.filter(pk=ref).update(is_protected=True)
    Account.objects.create(user=User.objects.create_user("hanako"), resident_ref=ref)
    return ref


def enrol(browser: Browser, here: str, name: str, **args: Any) -> Page:
    """Signs in by password, makes a key, and is let in with it."""
    page = browser.new_context(**args).new_page()
    virtual_authenticator(page)
    page.goto(f"{here}/login?next=/console/break-glass")
    page.get_by_label("ユーザー名").fill(name)
    page.get_by_label("パスワード").fill(PASSWORD)
    page.get_by_role("button", name="ログイン").click()
    expect(page.get_by_role("heading", name="セキュリティキー")).to_be_visible()
    assert_fits_in_both_languages(page)
    page.get_by_role("link", name="キーを登録する").click()
    page.get_by_label("このパスキーの名前").fill("職場のキー")
    page.get_by_role("button", name="パスキーを作成する").click()
    expect(page).to_have_url(f"{here}/console/break-glass")
    return page


def test_a_key_a_second_officer_and_the_residents_message(
    web: str, ref: UUID, browser: Browser, browser_context_args: dict[str, Any]
) -> None:
    here = on_localhost(web)
    officer("ann", Role.CLERK)
    officer("vera", Role.AUDITOR)
    ann = enrol(browser, here, "ann", **browser_context_args)
    assert_fits_in_both_languages(ann)
    ann.get_by_label("住民の参照番号").fill(str(ref))
    ann.get_by_label("理由").fill(REASON)
    ann.get_by_role("button", name="別の担当者に承認を求める").click()
    expect(ann.get_by_role("status")).to_contain_text("承認を求めました")
    assert_fits_in_both_languages(ann)

    vera = enrol(browser, here, "vera", **browser_context_args)
    vera.get_by_role("button", name="承認する").click()
    expect(vera.get_by_role("status")).to_contain_text("閲覧できるようになりました")
    assert_fits_in_both_languages(vera)

    ann.reload()
    ann.get_by_role("button", name="住民の情報へ").click()
    expect(ann.locator("main")).to_contain_text(HANAKO.name)
    ann.goto(f"{here}/console/break-glass")
    ann.get_by_role("button", name="すぐに終了する").click()
    expect(ann.get_by_role("status")).to_contain_text("終了しました")
    assert_fits_in_both_languages(ann)
    assert BreakGlass.objects.get().ended_by == "user:ann"

    resident = browser.new_context(**browser_context_args).new_page()
    begin_session(resident, here, "hanako")
    resident.goto(f"{here}/messages")
    expect(resident.locator("main")).to_contain_text("権限を超えて")
    assert_fits_in_both_languages(resident)
    resident.get_by_role("link", name="権限を超えて").click()
    expect(resident.locator("main")).to_contain_text(REASON)


def test_a_key_signs_in_by_itself(web: str, ref: UUID, browser: Browser, browser_context_args: dict[str, Any]) -> None:
    here = on_localhost(web)
    officer("vera", Role.AUDITOR)
    page = enrol(browser, here, "vera", **browser_context_args)
    page.get_by_role("button", name="ログアウト").click()
    page.get_by_role("button", name="パスキーを使う").click()
    expect(page).to_have_url(f"{here}/console/")
    page.get_by_text("すべてのページ").click()
    page.get_by_role("link", name="通知の延期").click()
    assert_fits_in_both_languages(page)
    page.get_by_label("住民の参照番号").fill(str(ref))
    page.get_by_label("事案番号").fill("K-7")
    page.get_by_label("警察または検察が犯罪を捜査している").check()
    page.get_by_label("延期の最終日").fill("2020-01-01")
    page.get_by_role("button", name="別の担当者に承認を求める").click()
    expect(page.get_by_role("alert")).to_contain_text("6か月")
    assert_fits_in_both_languages(page)
    assert not NoticeDelay.objects.exists()


def test_operators_help_who_lost_all_keys(web: str, ref: UUID, page: Page) -> None:
    officer("lost", Role.CLERK)
    for name in ("olga", "otto"):
        officer(name, Role.OPERATOR)
    begin_session(page, web, "olga")
    page.goto(f"{web}/office/keys")
    page.get_by_label("担当者のユーザー名").fill("lost")
    page.get_by_label("事情と、本人であることの確認方法").fill("キーを紛失、面識あり")
    page.get_by_role("button", name="別の運用者に依頼する").click()
    assert_fits_in_both_languages(page)
    page.context.clear_cookies()
    begin_session(page, web, "otto")
    page.goto(f"{web}/office/keys")
    page.get_by_role("button", name="lostのキーを削除する").click()
    expect(page.get_by_role("heading", name="キーを削除しました")).to_be_visible()
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")

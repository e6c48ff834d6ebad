"""A resident changes the account for the refund, with the keyboard alone, in both languages; a clerk compares names."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from apps.audit.officers import Role
from apps.portal.models import Account as SignIn
from apps.residents.models import PaymentAccount
from tests import pages
from tests.accounts import STRANGERS, name
from tests.offices import identify, officer
from tests.pages import assert_fits_in_both_languages
from tests.signing_in import begin_session
from tests.world import World

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]
MOST_TABS = 120
WORDS = {
    "ja": {
        "change": "口座を変更する", "bank": "金融機関の名称", "branch": "支店の名称",
        "number": "口座番号", "holder": "口座名義", "next": "次へ（内容の確認）", "save": "この口座を登録する",
        "pending": "変更の手続き中",
        "post": "記号・番号を入力する", "edit": "修正する",
    },
    "en": {
        "change": "Change the account", "bank": "Bank's name", "branch": "Branch's name",
        "number": "Account number", "holder": "Account holder", "next": "Go on and read it back",
        "save": "Yes, save this account", "pending": "A change is on its way",
        "post": "Go on with 記号 and 番号",
        "edit": "No, correct it",
    },
}  # fmt: skip


@pytest.fixture(params=["ja", pytest.param("en", marks=pytest.mark.long)])
def language(request: pytest.FixtureRequest) -> str:
    """The reader's language."""
    return str(request.param)


@pytest.fixture
def browser_context_args(browser_context_args: dict[str, Any], language: str) -> dict[str, Any]:
    """A reader's browser."""
    return {**browser_context_args, "locale": {"ja": "ja-JP", "en": "en-GB"}[language]}


@pytest.fixture
def hanako(web: str, world: World) -> UUID:
    """A resident who can sign in, with an account since long."""
    ref = world.residents[0]
    identify(ref)
    SignIn.objects.create(user=User.objects.create_user("hanako", password=pages.PASSWORD), resident_ref=ref)
    name(ref, at=timezone.now() - timedelta(days=100))
    return ref


def sign_in(page: Page, web: str, name: str) -> None:
    begin_session(page, web, name)
    page.goto(web)


def tab_to(page: Page, target: Locator) -> None:
    """Go on with the tabulator until the keyboard is at the target, whose outline shows it."""
    expect(target).to_be_visible()
    for _ in range(MOST_TABS):
        if target.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"The keyboard does not come to {target}.")


def press(page: Page, target: Locator) -> None:
    tab_to(page, target)
    page.keyboard.press("Enter")


def type_into(page: Page, target: Locator, typed: str) -> None:
    tab_to(page, target)
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(typed)


def test_an_account_is_changed_and_the_change_undone_with_the_keyboard_alone(
    web: str, hanako: UUID, page: Page, language: str
) -> None:
    said = WORDS[language]
    sign_in(page, web, "hanako")
    page.goto(f"{web}/payment")
    press(page, page.get_by_role("link", name=said["change"]))
    type_into(page, page.get_by_label(said["bank"]), "mizuho" if language == "en" else "みずほ")
    press(page, page.locator("#found a[href$='/0001']"))  # htmx lists it while it is typed
    type_into(page, page.get_by_label(said["branch"]), "まるのうち")
    page.keyboard.press("Enter")
    press(page, page.locator("#found a[href$='/0001/004']"))
    type_into(page, page.get_by_label(said["number"]), "765432")
    type_into(page, page.get_by_label(said["holder"]), "吉田 花子")
    press(page, page.get_by_role("button", name=said["next"]))
    expect(page.locator(".field-error")).to_contain_text("吉田花子")
    type_into(page, page.get_by_label(said["holder"]), "よしだ　はなこ")
    press(page, page.get_by_role("button", name=said["next"]))
    expect(page.get_by_text("0765432")).to_be_visible()
    expect(page.get_by_text("ヨシダ ハナコ")).to_be_visible()
    press(page, page.get_by_role("button", name=said["save"]))
    expect(page.get_by_role("heading", name=said["pending"])).to_be_visible()
    assert PaymentAccount.objects.filter(withdrawn_at=None).count() == 2
    if language == "ja":
        assert_fits_in_both_languages(page)
    press(page, page.locator("form[action='/payment/undo'] button"))
    expect(page.locator("form[action='/payment/undo']")).to_have_count(0)
    assert PaymentAccount.objects.filter(withdrawn_at=None).count() == 1


def test_a_post_bank_account_is_named_with_the_keyboard_alone(
    web: str, hanako: UUID, page: Page, language: str
) -> None:
    said = WORDS[language]
    sign_in(page, web, "hanako")
    page.goto(f"{web}/payment/change")
    press(page, page.get_by_role("link", name=said["post"]))
    type_into(page, page.locator("[name=symbol]"), "１４０３０")
    type_into(page, page.locator("[name=number]"), "12345671")
    type_into(page, page.get_by_label(said["holder"]), "ﾖｼﾀﾞ ﾊﾅｺ")
    press(page, page.get_by_role("button", name=said["next"]))
    expect(page.get_by_text("四〇八")).to_be_visible()
    press(page, page.get_by_role("button", name=said["edit"]))
    expect(page.locator("[name=symbol]")).to_have_value("１４０３０")
    press(page, page.get_by_role("button", name=said["next"]))
    press(page, page.get_by_role("button", name=said["save"]))
    expect(page.get_by_role("heading", name=said["pending"])).to_be_visible()


@pytest.mark.parametrize("language", ["ja"], indirect=True)
@pytest.mark.parametrize(
    "path",
    [
        "/payment", "/payment/change", "/payment/change?kana=ミ", "/payment/change/0001?q=まる", "/payment/post-bank",
        "/payment/change/0001/004", "/payment/public-account",
    ],
)  # fmt: skip
def test_every_page_fits_a_phone_and_a_desk(web: str, hanako: UUID, page: Page, path: str) -> None:
    sign_in(page, web, "hanako")
    page.goto(web + path)
    assert_fits_in_both_languages(page)


def test_a_clerk_compares_names_and_enters_an_account(web: str, hanako: UUID, page: Page, language: str) -> None:
    named = name(hanako, STRANGERS, at=timezone.now())
    officer("ann", Role.CLERK)
    sign_in(page, web, "ann")
    page.goto(f"{web}/office/accounts")
    if language == "ja":
        assert_fits_in_both_languages(page)
    press(page, page.locator("td form button"))
    expect(page.get_by_text(STRANGERS.holder).last).to_be_visible()
    if language == "ja":
        assert_fits_in_both_languages(page)
    tab_to(page, page.locator("[name=reason]").first)
    page.keyboard.press("Space")
    press(page, page.locator("form[action$='/review'] button"))
    expect(page.locator(".notice-good")).to_be_visible()
    named.refresh_from_db()
    assert named.holder_check == "reviewed_ok"
    page.goto(f"{web}/office/resident/{hanako}/account/enter")
    if language == "ja":
        assert_fits_in_both_languages(page)

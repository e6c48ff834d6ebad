"""Signing in with a real browser and its own passkeys: from the letter to the pages, and what stops guesses."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import ConsoleMessage, Page, expect

from apps.portal.models import Account
from apps.residents.operations.notices import draw_codes
from apps.simulator.identity_provider import CONFIGURATION
from apps.simulator.processes import Processes, free_port, identity_command, identity_settings, web_command
from tests.identities import enter
from tests.pages import PASSWORD, assert_fits_in_both_languages
from tests.signing_in import SECRET, begin_session, code_of, on_localhost, virtual_authenticator
from tests.world import World

pytestmark = pytest.mark.browser


@pytest.fixture
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """A Japanese reader's browser."""
    return {**browser_context_args, "locale": "ja-JP"}


@pytest.fixture
def said(page: Page) -> Iterator[list[str]]:
    """What the browser complains of: at the end, nothing."""
    found: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error" and "429" not in message.text:
            found.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: found.append(str(error)))
    yield found
    assert found == []


@pytest.fixture
def ref(world: World) -> UUID:
    enter(world.residents[0])
    return world.residents[0]


@pytest.fixture
def code(ref: UUID, tmp_path: Path) -> str:
    return draw_codes([ref], file=tmp_path / "notices.pdf", at=timezone.now())[ref].code


def hanako(ref: UUID) -> User:
    user = User.objects.create_user("hanako", password=PASSWORD)
    Account.objects.create(user=user, resident_ref=ref)
    TOTP.activate(user, SECRET)
    return user


def enter_letter(page: Page, web: str, code: str) -> None:
    page.goto(f"{web}/activate")
    page.get_by_label("通知書のコード").fill(code)
    page.get_by_label("生年月日").fill("平成2年4月1日")
    page.get_by_role("button", name="次へ").click()
    page.get_by_label("ユーザー名").fill("hanako")


def test_a_passkey_from_the_letter_to_the_next_sign_in(web: str, page: Page, code: str, said: list[str]) -> None:
    here = on_localhost(web)
    virtual_authenticator(page)
    enter_letter(page, here, code)
    assert_fits_in_both_languages(page)
    page.get_by_label("ユーザー名").fill("hanako")
    page.get_by_role("button", name="パスキーにする").click()
    assert_fits_in_both_languages(page)
    page.get_by_label("このパスキーの名前").fill("自宅のパソコン")
    page.get_by_role("button", name="パスキーを作成する").click()
    expect(page.get_by_role("heading", name="回復コード")).to_be_visible()
    expect(page.locator(".codes li")).to_have_count(10)
    expect(page.get_by_role("button", name="印刷する")).to_be_visible()
    page.get_by_role("link", name="控えました。次へ進む").click()
    page.get_by_role("button", name="ログアウト").click()

    page.goto(f"{here}/login?next=/cards")
    assert_fits_in_both_languages(page)
    page.get_by_role("button", name="パスキーを使う").click()
    expect(page).to_have_url(f"{here}/cards")
    page.goto(f"{here}/sign-in")
    expect(page.get_by_role("heading", name="自宅のパソコン")).to_be_visible()
    assert_fits_in_both_languages(page)
    page.get_by_role("link", name="新しい回復コードを作る").click()
    page.get_by_role("button", name="作成する").click()
    expect(page.locator(".codes li")).to_have_count(10)
    assert not User.objects.get().has_usable_password()


def test_a_passkey_is_asked_for_again_added_and_removed(web: str, page: Page, ref: UUID, said: list[str]) -> None:
    here = on_localhost(web)
    user = hanako(ref)
    begin_session(page, here, "hanako")
    devices, device = virtual_authenticator(page)
    page.goto(f"{here}/sign-in/passkey")
    page.get_by_role("button", name="パスキーを作成する").click()
    expect(page.get_by_text("パスキーを登録しました。")).to_be_visible()
    page.get_by_role("button", name="ログアウト").click()

    page.get_by_label("ユーザー名").fill("hanako")
    page.get_by_label("パスワード").fill(PASSWORD)
    page.get_by_role("button", name="ログイン").click()
    expect(page.get_by_role("heading", name="2つ目の確認")).to_be_visible()
    assert_fits_in_both_languages(page)
    page.get_by_role("button", name="パスキーを使う").click()
    expect(page.get_by_role("heading", name="回復コード").or_(page.get_by_text("hanakoさん"))).to_be_visible()

    page.goto(f"{here}/sign-in/again?next=/sign-in")
    expect(page.get_by_role("heading", name="ご本人ですか")).to_be_visible()
    assert_fits_in_both_languages(page)
    page.get_by_role("button", name="パスキーを使う").click()
    expect(page).to_have_url(f"{here}/sign-in")
    assert_fits_in_both_languages(page)
    page.get_by_role("link", name="認証アプリを削除する").click()
    assert_fits_in_both_languages(page)
    page.get_by_role("button", name="削除する").click()
    expect(page.get_by_text("削除しました。")).to_be_visible()
    assert list(Authenticator.objects.filter(user=user).values_list("type", flat=True).order_by("type")) == [
        "recovery_codes",
        "webauthn",
    ]

    page.get_by_role("button", name="ログアウト").click()
    devices.send("WebAuthn.clearCredentials", {"authenticatorId": device})
    devices.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
    page.get_by_role("button", name="パスキーを使う").click()
    expect(page.get_by_text("パスキーは使われませんでした")).to_be_visible()


def test_a_password_and_a_program_from_the_letter_to_the_next_sign_in(
    web: str, page: Page, code: str, said: list[str]
) -> None:
    enter_letter(page, web, code)
    page.get_by_role("button", name="パスワードにする").click()
    assert_fits_in_both_languages(page)
    for field in page.locator("input[type=password]").all():
        field.fill(PASSWORD)
    page.get_by_role("button", name="次へ").click()
    assert_fits_in_both_languages(page)
    secret = page.locator(".secret").inner_text().replace(" ", "")
    page.get_by_label("アプリに表示されたコード").fill(code_of(secret))
    page.get_by_role("button", name="次へ").click()
    expect(page.locator(".codes li")).to_have_count(10)
    page.get_by_role("link", name="控えました。次へ進む").click()
    page.get_by_role("button", name="ログアウト").click()

    page.goto(f"{web}/login?next=/cards")
    page.get_by_label("ユーザー名").fill("hanako")
    page.get_by_label("パスワード").fill(PASSWORD)
    page.get_by_role("button", name="ログイン").click()
    page.get_by_label("コード").fill(code_of(secret, steps=1))
    page.get_by_role("button", name="ログイン").click()
    expect(page).to_have_url(f"{web}/cards")


def test_a_lock_says_what_to_do(web: str, page: Page, ref: UUID, said: list[str]) -> None:
    hanako(ref)
    page.goto(f"{web}/login")
    for _ in range(5):
        page.get_by_label("ユーザー名").fill("hanako")
        page.get_by_label("パスワード").fill("wrong")
        page.get_by_role("button", name="ログイン").click()
    expect(page.get_by_role("heading", name="パスワードの誤りが続きました")).to_be_visible()
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")


@pytest.fixture
def with_identity(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> str:
    """A web server that knows a simulated identity provider."""
    identity_port, port = free_port(), free_port()
    known = identity_settings(identity_port)
    for name, value in known.items():
        monkeypatch.setenv(name, value)
    processes.start("identity", identity_command(identity_port), with_keys=False)
    processes.start("web", web_command(port), with_keys=False)
    processes.wait_for(known["KANPU_OIDC_ISSUER"] + CONFIGURATION)
    processes.wait_for(f"http://127.0.0.1:{port}/v1/keys")
    return f"http://127.0.0.1:{port}"


def test_the_governments_identity_is_connected_and_signs_in(
    with_identity: str, page: Page, ref: UUID, said: list[str]
) -> None:
    hanako(ref)
    page.goto(f"{with_identity}/login")
    assert_fits_in_both_languages(page)
    page.get_by_role("button", name="政府の本人確認サービスを使う").click()
    page.get_by_role("button", name="taro").click()
    expect(page.get_by_role("heading", name="この本人確認は登録されていません")).to_be_visible()
    begin_session(page, with_identity, "hanako")
    page.goto(f"{with_identity}/sign-in")
    page.get_by_role("button", name="本人確認サービスとつなぐ").click()
    page.get_by_role("button", name="hanako").click()
    expect(page.get_by_text("本人確認サービスとつなぎました")).to_be_visible()
    assert_fits_in_both_languages(page)
    page.get_by_role("button", name="ログアウト").click()
    page.get_by_role("button", name="政府の本人確認サービスを使う").click()
    page.get_by_role("button", name="hanako").click()
    expect(page.get_by_text("hanakoさん")).to_be_visible()

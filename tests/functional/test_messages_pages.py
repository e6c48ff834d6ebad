"""Messages, e-mail, who looked and why, all my data, and what everybody may know: in a real browser."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from zipfile import ZipFile

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Page, expect

from apps.audit.access import Access
from apps.audit.officers import Role
from apps.audit.operations import record_accesses
from apps.portal.models import Account
from apps.portal.operations.mail import send_due
from apps.residents.models import AccessQuestion, Mailing, Message
from apps.residents.operations.messages import tell
from apps.residents.operations.questions import answer_why
from config.mail import mail_settings
from tests.identities import enter
from tests.integration.test_mail import CODE
from tests.offices import officer
from tests.pages import PASSWORD, assert_fits_in_both_languages
from tests.signing_in import begin_session
from tests.smtp import Sink, mail_server
from tests.till import RawTill
from tests.world import YEAR, World
from tests.year_end import count, to_approved

OFFICE = "千代田区役所 戸籍住民課"


@pytest.fixture
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """A Japanese reader's browser."""
    return {**browser_context_args, "locale": "ja-JP"}


@pytest.fixture
def sink(web: str, settings: Any) -> Iterator[Sink]:
    """A mail server, and settings that lead to it."""
    settings.KANPU_PORTAL_URL = web
    with mail_server() as server:
        for name, value in mail_settings(f"smtp://127.0.0.1:{server.port}").items():
            setattr(settings, name, value)
        yield server


@pytest.fixture
def told(web: str, world: World, till: RawTill) -> None:
    """A resident with a settled year whom a clerk has looked at."""
    ref, now = world.residents[0], timezone.now()
    enter(ref)
    Account.objects.create(user=User.objects.create_user("hanako", password=PASSWORD), resident_ref=ref)
    sale = till.sale(ref, reduced=1_080)
    count(till, sale, till.sale(ref, reduced=55_000), till.sale(world.residents[1], reduced=5_500))
    count(till, till.void(sale))
    to_approved()
    for minutes in range(3):
        at = now - timedelta(minutes=minutes)
        record_accesses(Access("user:sato", Role.CLERK, OFFICE, "household", "R7-12"), [ref], what="page:cards", at=at)
    tell([ref], "card_suspended", at=now)
    tell([ref], "letter_returned", at=now)


def sign_in(page: Page, web: str, name: str) -> None:
    begin_session(page, web, name)
    page.goto(web)


def fits(page: Page, web: str, path: str) -> None:
    page.goto(web + path)
    assert_fits_in_both_languages(page)
    page.set_viewport_size({"width": 1280, "height": 800})


@pytest.mark.browser
def test_a_resident_reads_messages_asks_why_and_takes_all_data(
    web: str, page: Page, told: None, sink: Sink, tmp_path: Any
) -> None:
    sign_in(page, web, "hanako")
    fits(page, web, "/messages")
    expect(page.get_by_text("未読のお知らせが5件あります。")).to_be_visible()
    page.get_by_role("button", name="すべて既読にする").click()
    expect(page.get_by_text("未読のお知らせ")).to_have_count(0)
    page.get_by_role("link", name="還付額が決まりました。").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"{YEAR}年分")

    page.goto(f"{web}/messages")
    page.get_by_role("link", name="メールでのお知らせ").click()
    assert_fits_in_both_languages(page)
    page.get_by_label("メールアドレス").fill("hanako@example.jp")
    page.get_by_role("button", name="このアドレスにコードを送る").click()
    assert_fits_in_both_languages(page)
    send_due(clock=timezone.now)
    code = CODE.search(sink.mails("hanako@example.jp")[0].get_content())
    assert code
    page.get_by_label("メールのコード").fill(code[1])
    page.get_by_role("button", name="アドレスを確認する").click()
    expect(page.get_by_role("heading", name="hanako@example.jp にメールを送ります")).to_be_visible()
    assert_fits_in_both_languages(page)

    fits(page, web, "/accesses")
    page.get_by_role("link", name="理由を問い合わせる").first.click()
    assert_fits_in_both_languages(page)
    page.get_by_label("知りたいこと").fill("なぜですか。")
    page.get_by_role("button", name="事務所に問い合わせる").click()
    expect(page.get_by_text("に問い合わせました。")).to_be_visible()
    answer_why(AccessQuestion.objects.get(), "世帯の届出の確認のためでした。", at=timezone.now(), actor="user:abe")
    fits(page, web, "/accesses")
    expect(page.get_by_text("世帯の届出の確認のためでした。")).to_be_visible()

    fits(page, web, "/statements")
    fits(page, web, "/my-data")
    with page.expect_download() as saved:
        page.get_by_role("button", name="すべての情報をダウンロード").click()
    saved.value.save_as(tmp_path / "data.zip")
    assert "registration.csv" in ZipFile(tmp_path / "data.zip").namelist()

    stop = f"{web}/messages/stop/{Mailing.objects.get().stop_token}"
    page.goto(stop)
    assert_fits_in_both_languages(page)
    page.get_by_role("button", name="メールを停止する").click()
    expect(page.get_by_text("今後メールは届きません。")).to_be_visible()
    assert Mailing.objects.get().wants == "none"
    Message.objects.all().delete()
    fits(page, web, "/messages")


@pytest.mark.browser
def test_a_clerk_answers_and_everybody_reads_the_figures(web: str, page: Page, told: None, world: World) -> None:
    fits(page, web, "/transparency")
    expect(page.get_by_role("cell", name="3", exact=True)).to_have_count(0)
    expect(page.get_by_text("5回未満")).to_be_visible()
    officer("abe", Role.CLERK, office=OFFICE)
    sign_in(page, web, "hanako")
    page.goto(f"{web}/accesses")
    page.get_by_role("link", name="理由を問い合わせる").first.click()
    page.get_by_role("button", name="事務所に問い合わせる").click()
    page.get_by_role("button", name="ログアウト").click()
    sign_in(page, web, "abe")
    fits(page, web, "/office/questions")
    page.get_by_role("link", name="問合せ 1").or_(page.locator("table.cards tbody a")).first.click()
    assert_fits_in_both_languages(page)
    page.get_by_label("回答：なぜ閲覧したのか").fill("世帯の確認のためでした。")
    page.get_by_role("button", name="回答を送る").click()
    expect(page.get_by_text("回答を送りました。")).to_be_visible()
    officer("vera", Role.AUDITOR, office="還付事務局")
    page.get_by_role("button", name="ログアウト").click()
    sign_in(page, web, "vera")
    fits(page, web, "/console/questions")
    page.locator("table.cards tbody a").first.click()
    assert_fits_in_both_languages(page)

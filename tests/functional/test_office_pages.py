"""Offices in the browser: a clerk hands a card over, the helpdesk suspends one by telephone."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from apps.accruals.models import Entry
from apps.accruals.operations.counting import count_all
from apps.audit.models import AccessRecord
from apps.audit.officers import Role
from apps.residents.models import Card, CardSuspension, HandOver, Notice
from apps.residents.operations.card_life import suspend_cards
from tests.offices import BORN, HANAKO, HOME, NUMBER, OFFICE, identify, officer
from tests.pages import assert_fits_in_both_languages
from tests.signing_in import begin_session
from tests.till import RawTill, send
from tests.world import World

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


@pytest.fixture
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """A Japanese officer's browser."""
    return {**browser_context_args, "locale": "ja-JP"}


@pytest.fixture
def ref(web: str, world: World) -> UUID:
    """Hanako, with a card that waits and a letter."""
    ref = world.residents[0]
    identify(ref)
    Card.objects.filter(resident=ref).update(active_from=None)
    now = timezone.now()
    Notice.objects.create(
        resident_id=ref, code_hash=b"c" * 32, file="x.pdf", created_at=now, printed_at=now,
        expires_at=now + timedelta(days=60),
    )  # fmt: skip
    return ref


def sign_in(page: Page, web: str, name: str) -> None:
    begin_session(page, web, name)
    page.goto(web)


def test_a_clerk_opens_a_resident_and_hands_the_card_over(web: str, ref: UUID, page: Page) -> None:
    officer("ann", Role.CLERK)
    sign_in(page, web, "ann")
    assert_fits_in_both_languages(page)
    page.get_by_role("navigation").get_by_role("link", name="住民の情報を開く").click()
    assert_fits_in_both_languages(page)
    page.get_by_label("個人番号").fill(NUMBER)
    page.get_by_label("生年月日").fill("1984-03-01")
    page.get_by_label("閲覧の目的").select_option("card")
    page.get_by_role("button", name="住民の情報を開く").click()
    expect(page.get_by_role("alert")).to_contain_text("該当する人はいません")
    expect(page.get_by_label("個人番号")).to_have_value("")
    page.get_by_label("個人番号").fill(NUMBER)
    page.get_by_label("生年月日").fill(BORN.isoformat())
    page.get_by_role("button", name="住民の情報を開く").click()
    expect(page.locator("main")).to_contain_text(HANAKO.name)
    expect(page.locator("main")).to_contain_text(HOME.address)
    assert NUMBER not in page.content() + page.url
    for tab in ("本人の情報", "カード", "通知書", "購入", "世帯と登録", "購入の記録", "代理人と同意"):
        page.get_by_role("link", name=tab, exact=True).click()
        assert_fits_in_both_languages(page)
    page.get_by_role("link", name="カード", exact=True).click()
    page.get_by_role("link", name="交付する").click()
    expect(page.get_by_text(HANAKO.name_kana)).to_be_visible()
    page.get_by_label("年金手帳").check()
    page.get_by_role("button", name="カードを交付する").click()
    expect(page.get_by_text("顔写真付きの書類1点、またはその他の書類2点")).to_be_visible()
    page.get_by_label("運転免許証").check()
    page.get_by_role("button", name="カードを交付する").click()
    expect(page.get_by_role("status")).to_contain_text("カードを交付しました")
    expect(page.get_by_role("heading", name="有効")).to_be_visible()
    handed = HandOver.objects.get()
    assert (handed.actor, handed.office, handed.documents) == ("user:ann", OFFICE, ["driving_licence", "pension"])
    page.get_by_role("button", name="閲覧を終える").click()
    page.goto(f"{web}/office/resident/{ref}/person")
    expect(page.get_by_role("alert")).to_contain_text("先に住民の情報を開いてください")


def test_a_clerk_answers_for_held_purchases_and_withdraws_a_counted_one(web: str, world: World, page: Page) -> None:
    ref = world.residents[0]
    identify(ref)
    till = RawTill(world)
    days = ("04-01", "04-03", "04-05")
    send(till, *(till.sale(ref, at=f"2017-{day}T12:00:00+09:00", reduced=5_500, standard=1_100) for day in days))
    lost_since = datetime(2017, 4, 2, tzinfo=timezone.get_default_timezone())
    suspend_cards(ref, lost_since=lost_since, channel=CardSuspension.Channel.WINDOW, at=timezone.now(), actor="test")
    count_all()
    officer("ann", Role.CLERK)
    sign_in(page, web, "ann")
    page.goto(f"{web}/office/open")
    page.get_by_label("個人番号").fill(NUMBER)
    page.get_by_label("生年月日").fill(BORN.isoformat())
    page.get_by_label("閲覧の目的").select_option("card")
    page.get_by_role("button", name="住民の情報を開く").click()
    page.get_by_role("link", name="購入", exact=True).click()
    assert_fits_in_both_languages(page)
    for tick in page.get_by_role("checkbox").all():
        tick.check()
    page.get_by_role("button", name="住民の購入である").click()
    expect(page.get_by_role("status")).to_contain_text("住民の回答を記録しました")
    expect(page.get_by_text("住民の回答：自分の購入。計上されています。")).to_have_count(2)
    page.get_by_role("link", name="この購入を取り下げる").last.click()
    assert_fits_in_both_languages(page)
    page.get_by_label("申出の方法").select_option("letter")
    page.get_by_role("button", name="この購入を消去する").click()
    expect(page.get_by_role("status")).to_contain_text("購入を消去しました")
    assert not Entry.objects.filter(seq=1).exists()


def test_the_helpdesk_suspends_a_card_for_somebody_on_the_telephone(web: str, ref: UUID, page: Page) -> None:
    Card.objects.filter(resident=ref).update(active_from=timezone.now() - timedelta(days=30))
    officer("ben", Role.HELPDESK)
    sign_in(page, web, "ben")
    assert_fits_in_both_languages(page)
    page.get_by_role("navigation").get_by_role("link", name="カードの紛失").click()
    assert_fits_in_both_languages(page)
    page.get_by_label("氏名").fill("よしだ はなこ")
    page.get_by_label("生年月日").fill(BORN.isoformat())
    page.get_by_label("住所").fill("100-0001")
    page.get_by_role("button", name="カードを停止する").click()
    expect(page.get_by_role("alert")).to_contain_text("カードは停止されませんでした")
    page.get_by_label("住所").fill(HOME.postal_code)
    page.get_by_role("button", name="カードを停止する").click()
    expect(page.get_by_role("status")).to_contain_text("カードを停止しました")
    assert CardSuspension.objects.get(card__resident=ref).channel == "phone"
    assert HOME.address not in page.content()
    page.get_by_role("navigation").get_by_role("link", name="住民の情報を開く").click()
    page.get_by_label("個人番号").fill(NUMBER)
    page.get_by_label("生年月日").fill(BORN.isoformat())
    page.get_by_label("閲覧の目的").select_option("card")
    page.get_by_role("button", name="住民の情報を開く").click()
    expect(page.get_by_role("heading", name="停止中")).to_be_visible()
    expect(page.get_by_text("電話で")).to_be_visible()
    assert HANAKO.name not in page.content()
    assert_fits_in_both_languages(page)
    assert {record.role for record in AccessRecord.objects.all()} == {"helpdesk"}


def test_auditors_see_who_looked_and_operators_what_waits(web: str, ref: UUID, page: Page) -> None:
    officer("eve", Role.AUDITOR)
    officer("olga", Role.OPERATOR)
    AccessRecord.objects.create(
        at=timezone.now(), actor="user:ann", role="registry_clerk", office=OFFICE, resident_ref=ref,
        what="vault:person,address", purpose="card", case="2026-15",
    )  # fmt: skip
    sign_in(page, web, "eve")
    page.get_by_text("すべてのページ").click()
    page.get_by_role("link", name="閲覧記録").click()
    assert_fits_in_both_languages(page)
    page.get_by_role("link", name="ann").click()
    expect(page.locator("main")).to_contain_text("カードについて")
    assert_fits_in_both_languages(page)
    page.get_by_role("button", name="ログアウト").click()
    expect(page.get_by_label("ユーザー名")).to_be_visible()
    sign_in(page, web, "olga")
    page.get_by_role("navigation").get_by_role("link", name="カードと通知書").click()
    assert_fits_in_both_languages(page)
    page.get_by_role("navigation").get_by_role("link", name="返戻された通知書").click()
    page.get_by_label("通知書の番号").fill(Notice.objects.get().number)
    page.get_by_role("button", name="次へ").click()
    page.get_by_role("button", name="返戻を記録する").click()
    expect(page.get_by_role("status")).to_contain_text("返戻を記録しました")
    assert_fits_in_both_languages(page)

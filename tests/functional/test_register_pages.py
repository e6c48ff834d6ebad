"""From the letter to the resident's pages, in a real browser."""

from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.utils import timezone
from playwright.sync_api import Page, expect
from pypdf import PdfReader

from apps.audit.access import Access
from apps.audit.operations import record_accesses
from apps.residents.models import CardSuspension, RecordingPause, RegisterEvent
from apps.residents.operations import Home, place_in_households
from tests.identities import enter
from tests.integration.test_notices import CODE
from tests.pages import PASSWORD, assert_fits_in_both_languages
from tests.signing_in import code_of
from tests.world import YEAR, World


@pytest.fixture
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """A Japanese reader's browser."""
    return {**browser_context_args, "locale": "ja-JP"}


@pytest.fixture
def code(web: str, world: World, tmp_path: Path, settings: Any) -> str:
    """The code of the first resident's letter, read from its paper."""
    ref, now = world.residents[0], timezone.now()
    enter(ref, alias="田中 花子", address="東京都千代田区千代田一丁目1番1号 霞が関パークタワーレジデンス東棟1203号室")
    place_in_households([Home(ref, uuid4(), date(2017, 1, 1), is_head=True)], at=now, actor="test")
    RegisterEvent.objects.create(
        resident_id=ref, kind="move_in", effective_date=date(2017, 1, 1), recorded_at=now, actor="test"
    )
    clerk = Access("user:sato", "registry_clerk", "千代田区役所 戸籍住民課", "カードの紛失についての相談", "R7-12")
    record_accesses(clerk, [ref], what="vault:person,address", at=now)
    settings.KANPU_PORTAL_URL = web
    call_command("print_notices", "--resident", str(ref), "--out", str(tmp_path / "out"))
    (file,) = (tmp_path / "out").glob("*.pdf")
    match = CODE.search(PdfReader(BytesIO(file.read_bytes())).pages[0].extract_text())
    assert match
    return match.group(1)


@pytest.mark.browser
def test_from_the_letters_code_to_a_lost_card_and_a_pause(web: str, page: Page, code: str) -> None:
    page.goto(f"{web}/activate#{code.replace(' ', '')}")  # as the QR code leads
    expect(page.get_by_label("通知書のコード")).to_have_value(code)
    assert "#" not in page.url
    assert_fits_in_both_languages(page)
    page.get_by_label("通知書のコード").fill(code.lower().replace(" ", "-"))
    page.get_by_label("生年月日").fill("平成2年4月1日")
    page.get_by_role("button", name="次へ").click()
    assert_fits_in_both_languages(page)
    page.get_by_label("ユーザー名").fill("hanako")
    page.get_by_role("button", name="パスワードにする").click()
    for field in page.locator("input[type=password]").all():
        field.fill(PASSWORD)
    page.get_by_role("button", name="次へ").click()
    page.get_by_label("アプリに表示されたコード").fill(code_of(page.locator(".secret").inner_text().replace(" ", "")))
    page.get_by_role("button", name="次へ").click()
    page.get_by_role("link", name="控えました。次へ進む").click()
    expect(page.get_by_text("hanakoさん")).to_be_visible()

    page.get_by_role("link", name="カード", exact=True).click()
    assert_fits_in_both_languages(page)
    page.get_by_role("button", name="カードの利用を停止する").click()
    expect(page.get_by_text("利用停止中：紛失の届出がありました。")).to_be_visible()
    assert CardSuspension.objects.filter(lifted_at=None, channel="portal").exists()
    assert_fits_in_both_languages(page)
    page.goto(f"{web}/year/{YEAR}")
    expect(page.get_by_text("カードの利用を停止しています。")).to_be_visible()
    assert_fits_in_both_languages(page)
    page.get_by_role("link", name="カード", exact=True).first.click()
    page.get_by_role("button", name="カードが見つかった").click()
    expect(page.get_by_text("利用できます。")).to_be_visible()

    page.locator("summary", has_text="すべてのページ").click()
    page.get_by_role("link", name="購入の記録").click()
    page.get_by_role("button", name="今から記録を休止する").click()
    expect(page.get_by_role("heading", name="記録を休止しています")).to_be_visible()
    assert RecordingPause.objects.get().valid.upper is None
    assert_fits_in_both_languages(page)
    page.get_by_role("button", name="記録を再開する").click()
    expect(page.get_by_role("heading", name="購入を記録しています")).to_be_visible()

    page.locator("summary", has_text="すべてのページ").click()
    page.get_by_role("link", name="登録情報").click()
    expect(page.get_by_text("𠮷田 髙子")).to_be_visible()
    assert_fits_in_both_languages(page)
    page.locator("summary", has_text="すべてのページ").click()
    page.get_by_role("link", name="私の情報を見た人").click()
    expect(page.get_by_text("千代田区役所")).to_be_visible()
    assert_fits_in_both_languages(page)

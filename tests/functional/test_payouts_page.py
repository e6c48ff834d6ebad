"""Two auditors approve a file for the bank in the browser, without JavaScript, on a phone and on a desk."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.payouts.models import Batch
from apps.residents.models import PaymentAccount
from tests import payouts
from tests.functional.test_run_pages import auditors, sign_in, sign_out
from tests.pages import assert_fits_in_both_languages
from tests.world import World

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]
PASSWORD = "a-long-enough-password"


@pytest.fixture
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_context_args, "locale": "ja-JP", "java_script_enabled": False}


def test_two_auditors_approve_a_file(web: str, world: World, page: Page, web_logs: Path, settings: Any) -> None:
    settings.KANPU_PAYOUTS = web_logs / "payouts"
    auditors()
    payouts.bank()
    one, two = world.residents
    for ref in world.residents:
        payouts.known(ref)
    payouts.paying_run({one: 4_000, two: 125})
    PaymentAccount.objects.filter(resident=two).delete()
    payouts.draft()
    for name in ("ann", "ben"):
        sign_in(page, web, name)
        page.goto(f"{web}/console/payouts")
        expect(page.get_by_text("合計は一致しています")).to_be_visible()
        expect(page.get_by_text("口座なし")).to_be_visible()
        page.get_by_label("パスワード（再入力）").fill(PASSWORD)
        page.get_by_role("button", name="承認する").click()
        expect(page.get_by_text("ファイルを承認しました")).to_be_visible()
        assert_fits_in_both_languages(page)
        sign_out(page)
    assert Batch.objects.get().state == Batch.State.APPROVED

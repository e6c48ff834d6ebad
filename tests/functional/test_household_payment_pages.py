"""Two adults agree in the browser that the head is paid, and read what became of the payments, without JavaScript."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from apps.payouts.operations.owing import make_obligations
from apps.portal.models import Account as SignIn
from tests import pages, payouts
from tests.acting import live_together
from tests.functional.test_run_pages import auditors
from tests.pages import assert_fits_in_both_languages
from tests.signing_in import begin_session
from tests.world import YEAR, World

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


@pytest.fixture
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_context_args, "locale": "ja-JP", "java_script_enabled": False}


def test_both_adults_agree_and_read_what_was_paid_to_whom(
    web: str, world: World, page: Page, web_logs: Path, settings: Any
) -> None:
    settings.KANPU_PAYOUTS = web_logs / "payouts"
    auditors()
    payouts.bank()
    head, other = world.residents
    live_together(head, other, start=date(2017, 1, 1))
    for name, ref in (("hanako", head), ("taro", other)):
        payouts.known(ref)
        SignIn.objects.create(user=User.objects.create_user(name, password=pages.PASSWORD), resident_ref=ref)
    for name in ("taro", "hanako"):
        page.context.clear_cookies()
        begin_session(page, web, name)
        page.goto(f"{web}/household")
        assert_fits_in_both_languages(page)
        page.locator("a[href='/household/payment']").click()
        assert_fits_in_both_languages(page)
        page.locator("button[name=agreed]").click()
        expect(page.locator(".notice-good")).to_be_visible()
    expect(page.get_by_text("全員の還付金があなたの口座に振り込まれます")).to_be_visible()
    payouts.paying_run({head: 4_000, other: 1_200})
    make_obligations(YEAR, actor="test")
    batch = payouts.sent()
    page.goto(f"{web}/payment")
    assert_fits_in_both_languages(page)
    payouts.taken(payouts.answer(batch, "0"))
    page.goto(f"{web}/payment")
    expect(page.get_by_text("世帯の方の還付金のうち")).to_be_visible()
    assert_fits_in_both_languages(page)
    page.goto(f"{web}/messages")
    expect(page.get_by_text("還付金が振り込まれました。")).to_be_visible()
    page.context.clear_cookies()
    begin_session(page, web, "taro")
    page.goto(f"{web}/year/{YEAR}")
    expect(page.get_by_text("世帯主に支払われます。")).to_be_visible()
    assert_fits_in_both_languages(page)

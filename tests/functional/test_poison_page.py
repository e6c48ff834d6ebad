"""An operator sees what was set aside, and tries it again."""

from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from apps.accruals.models import Entry
from apps.accruals.operations.counting import count_all
from apps.audit.officers import Role
from apps.purchases.poison import settle_done
from tests.integration.test_poison import refusing, sell
from tests.offices import officer
from tests.pages import assert_fits_in_both_languages
from tests.signing_in import begin_session
from tests.world import World

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


@pytest.fixture
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """A Japanese officer's browser."""
    return {**browser_context_args, "locale": "ja-JP"}


def test_an_operator_reads_why_and_tries_again(web: str, world: World, page: Page) -> None:
    sell(world, 666, 1)
    with refusing(666):
        count_all()
    officer("oda", Role.OPERATOR)
    begin_session(page, web, "oda")
    page.goto(f"{web}/office/")
    page.get_by_role("navigation").get_by_role("link", name="処理できない記録").click()
    expect(page.get_by_role("row").filter(has_text="IntegrityError 23514 planted")).to_have_count(1)
    assert_fits_in_both_languages(page)
    page.get_by_role("button", name="再試行", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("1件を再試行します。")
    count_all()
    settle_done(now=timezone.now())
    page.reload()
    expect(page.get_by_text("処理できない記録はありません。")).to_be_visible()
    assert_fits_in_both_languages(page)
    assert Entry.objects.count() == 2

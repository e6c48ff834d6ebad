"""What if, in the browser: an auditor asks what food at 0 % costs, then what Italy's cashback would."""

from typing import Any

import pytest
from kanpu_pos import Client
from playwright.sync_api import Page, expect

from apps.accruals.operations.counting import count_all
from tests.signing_in import begin_session
from tests.world import TERMINAL, World, auditor

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


@pytest.fixture
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """A Japanese reader's browser without JavaScript: nothing on this page needs it."""
    return {**browser_context_args, "locale": "ja-JP", "java_script_enabled": False}


@pytest.fixture
def signed_in(world: World, web: str, page: Page) -> Page:
    """An auditor's browser; some was bought, for large amounts too."""
    one, two = world.residents
    records = [world.sale(one, reduced=80), world.sale(two, reduced=1_999_999_999, standard=1_999_999_999)]
    with Client(web, world.api_key, timeout_s=30) as client:
        client.report(TERMINAL, records)
    count_all()
    begin_session(page, web, auditor("ann").username)
    page.goto(web)
    return page


def assert_fits(page: Page) -> None:
    """The page does not scroll sideways, on a phone or on a desk, in both languages."""
    for switch, language in (("English", "en"), ("日本語", "ja")):
        page.get_by_role("button", name=switch).click()
        expect(page.locator("html")).to_have_attribute("lang", language)
        for width in (360, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            for section in page.locator("main > *").all():
                box = section.bounding_box()
                assert box is None or box["x"] + box["width"] <= width, (language, width)


def test_an_auditor_asks_what_food_at_0_percent_costs(signed_in: Page) -> None:
    page = signed_in
    page.get_by_role("link", name="別の制度であったら").last.click()
    page.get_by_label("制度", exact=True).select_option("jp-zero-food")
    page.get_by_role("button", name="計算する").click()
    expect(page.get_by_role("heading", name="支出の十分位別")).to_be_visible()
    row = page.get_by_role("row", name="還付額の合計").first
    expect(row.get_by_role("cell")).to_have_text(["4,001円", "181,818,188円"])
    expect(page.locator("svg.chart text.amount")).to_have_text(["1円", "7円", "4,000円", "181,818,181円"])
    page.goto(f"{page.url}?scheme=jp-zero-food")
    assert_fits(page)


def test_an_auditor_says_what_a_foreign_schemes_tiers_mean(signed_in: Page) -> None:
    page = signed_in
    page.get_by_role("link", name="別の制度であったら").last.click()
    page.get_by_label("制度", exact=True).select_option("it-2021")
    page.get_by_role("button", name="計算する").click()
    page.get_by_label("「飲食料品」に適用する区分").select_option("purchase")
    page.get_by_label("「標準」に適用する区分").select_option("purchase")
    page.get_by_label("1 EURは何JPYか").fill("130")
    page.get_by_role("button", name="計算する").click()
    expect(page.get_by_text("1 EUR＝130 JPYで換算")).to_be_visible()
    expect(page.get_by_role("row", name="減る").first.get_by_role("cell").first).to_have_text("2")

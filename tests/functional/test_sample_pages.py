"""A sample in the browser, in both languages: asked for, drawn, worked through, concluded; and merchants' pages."""

import re
from datetime import UTC, datetime

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from apps.audit.models import AccessRecord
from apps.audit.officers import Role
from apps.inspections.operations.declaring import import_declarations
from apps.inspections.operations.drawing import draw_requested
from apps.inspections.operations.refreshing import refresh_year
from apps.merchants.models import Merchant
from tests.functional.test_dispute_pages import LOCALES, Words, back_to, sign_in, words_of
from tests.offices import officer
from tests.till import RawTill, send
from tests.world import World
from tests.year_end import count

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]
YEAR = 2017
NUMBER = "T7000012050002"


@pytest.fixture
def till(web: str, world: World) -> RawTill:
    """A till with five sales to two residents and a day's end."""
    made = RawTill(world)
    for number, amount in enumerate((1_080, 2_160, 990, 12_960, 540)):
        made.sale(world.residents[number % 2], reduced=amount, standard=330)
    made.close(reduced=17_730, standard=1_650)
    count(made, *made.records)
    officer("ann", Role.AUDITOR, office="還付事務所 東京")
    return made


@pytest.mark.parametrize("language", ["ja", pytest.param("en", marks=pytest.mark.long)])
def test_a_sample_is_asked_for_worked_through_and_concluded(
    language: str, browser: Browser, web: str, till: RawTill
) -> None:
    say = words_of(language)
    with browser.new_context(locale=LOCALES[language]) as context:
        page = sign_in(context, web, "ann")
        page.goto(f"{web}/console/samples")
        page.get_by_role("link", name=say("New sample")).click()
        back_to(page, language)
        page.get_by_label(say("What the sample is to show")).fill("Spring sales")
        page.get_by_label(say("Tax year")).select_option(str(YEAR))
        page.get_by_role("button", name=say("Draw the sample")).click()
        expect(page.get_by_text(say("This method needs it.")).first).to_be_visible()
        page.get_by_label(say("Tolerable rate of deviations, percent (attribute sampling)")).fill("9")
        page.get_by_label(say("Expected rate of deviations, percent (attribute sampling)")).fill("2")
        page.get_by_role("button", name=say("Draw the sample")).click()
        expect(page.get_by_text(say("The sample is being drawn"))).to_be_visible()
        assert draw_requested() == 1
        expect(page.get_by_role("heading", name=re.compile(r"0.*5|5.*0"), level=2)).to_be_visible()
        back_to(page, language)
        _work_through(page, language, say)
        expect(page.get_by_role("heading", name=say("Conclusion"))).to_be_visible()
        expect(page.get_by_text("20.00%").first).to_be_visible()
        back_to(page, language)
    assert AccessRecord.objects.filter(what__startswith="sample ", resident_ref=till.world.residents[0]).exists()


def _work_through(page: Page, language: str, say: Words) -> None:
    """Open each of five items for a purpose; the third one deviates, and one is taken back and found again."""
    page.get_by_role("table").get_by_role("link").first.click()
    for position in range(1, 6):
        if page.get_by_label(say("Purpose"), exact=True).count():
            page.get_by_label(say("Purpose"), exact=True).select_option("check")
            page.get_by_role("button", name=say("Go on")).click()
        if position == 1:
            back_to(page, language)
        page.get_by_label(say("Deviation" if position == 3 else "Correct"), exact=True).check()
        page.get_by_role("button", name=say("Keep it and go on")).click()
    expect(page.get_by_role("progressbar")).to_have_attribute("value", "5")
    page.get_by_role("table").get_by_role("link").nth(4).click()
    page.get_by_role("button", name=say("Take it back")).click()
    page.get_by_label(say("Correct"), exact=True).check()
    page.get_by_role("button", name=say("Keep it and go on")).click()


@pytest.mark.parametrize("language", ["ja", pytest.param("en", marks=pytest.mark.long)])
def test_a_merchant_who_declared_less_than_it_reported_is_seen_with_its_year(
    language: str, browser: Browser, web: str, till: RawTill
) -> None:
    say = words_of(language)
    shop = Merchant.objects.get(name="Shop")
    Merchant.objects.filter(pk=shop.pk).update(registration_number=NUMBER)
    send(till, till.sale(at=f"{YEAR}-08-04T10:00:00+09:00", foood=100), now=datetime(YEAR, 8, 4, 12, tzinfo=UTC))
    refresh_year(YEAR, now=timezone.now())
    row = f"registration_number,from,to,sales_at_8,sales_at_10\n{NUMBER},{YEAR}-07-01,{YEAR}-09-30,9000,1500\n"
    import_declarations(row.encode(), at=timezone.now(), actor="user:ann")
    with browser.new_context(locale=LOCALES[language]) as context:
        page = sign_in(context, web, "ann")
        page.goto(f"{web}/console/declarations?year={YEAR}")
        back_to(page, language)
        page.get_by_role("button", name=say("Open a case")).first.click()
        expect(page.get_by_text(say("A case is open about this merchant's return."))).to_be_visible()
        page.goto(f"{web}/console/declarations/import")
        back_to(page, language)
        page.goto(f"{web}/console/merchants?year={YEAR}")
        back_to(page, language)
        page.get_by_role("link", name="Shop").click()
        expect(page.get_by_role("heading", name="Shop", level=1)).to_be_visible()
        back_to(page, language)
        page.goto(f"{web}/console/amounts?year={YEAR}")
        back_to(page, language)

"""An auditor finds a purchase in the browser, follows it down to what the till sent, and takes results along."""

import io
import zipfile
from datetime import datetime
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from apps.accruals.operations.counting import count_all
from apps.audit.access import Access
from apps.audit.officers import Role
from apps.inspections.export_files import sha256_of
from apps.inspections.models import Case, SavedSearch
from apps.inspections.operations.exporting import file_of, request_export
from apps.inspections.queries import exported_rows
from apps.inspections.searching import PurchaseSearch
from apps.simulator.processes import Processes
from tests.functional.test_run_pages import assert_fits
from tests.offices import OFFICE, officer
from tests.signing_in import begin_session
from tests.till import RawTill, send
from tests.world import OTHER_TERMINAL, World

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


@pytest.fixture
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """A reader's browser without JavaScript: nothing on these pages needs it."""
    return {**browser_context_args, "locale": "ja-JP", "java_script_enabled": False}


def sell(world: World, number: int) -> None:
    """So many purchases a minute apart, and a return of the first."""
    till = RawTill(world, OTHER_TERMINAL)
    day = datetime.fromisoformat("2017-04-01T09:00:00+09:00")
    first = till.sale(at=day.isoformat(), reduced=90_000, standard=1_200)
    for minute in range(1, number):
        till.sale(world.residents[minute % 2], at=day.replace(minute=minute).isoformat(), reduced=100 + minute)
    till.give_back(first, at=day.replace(hour=18).isoformat(), reduced=500)
    assert send(till) == []
    count_all()


def fits(page: Page) -> None:
    """The page in both languages, on a phone and on a desk; it is in English again then."""
    if page.get_by_role("button", name="日本語").is_visible():
        page.get_by_role("button", name="日本語").click()
    assert_fits(page)
    page.get_by_role("button", name="English").click()


def test_a_purchase_is_found_followed_and_taken_along(web: str, world: World, page: Page) -> None:
    sell(world, 55)
    begin_session(page, web, officer("ann", Role.AUDITOR).username)
    page.goto(f"{web}/console/find/purchases")
    fits(page)
    page.get_by_label("Tax year").select_option("2017")
    page.get_by_label("Merchant: number or part of the name").fill("rival")
    page.get_by_role("button", name="Find").click()
    page.get_by_label("Purpose", exact=True).select_option("fraud")
    page.get_by_label("Case number (if there is one)").fill("R8-17")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("status")).to_contain_text("56 results, the newest first.")
    expect(page.get_by_text("You search for: A suspicion of fraud. Case R8-17.")).to_be_visible()
    page.get_by_role("link", name="Next page").click()
    expect(page.get_by_role("rowheader")).to_have_count(25)
    fits(page)
    page.get_by_label("Amount from").fill("50000")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_role("status")).to_contain_text("1 result.")

    page.get_by_label("Name of the search").fill("Large at Rival")
    page.get_by_role("button", name="Keep this search").click()
    expect(page.get_by_role("link", name="Large at Rival", exact=True)).to_be_visible()
    assert SavedSearch.objects.get().filters["least_minor"] == 50_000
    with page.expect_download() as download:
        page.get_by_role("button", name="Excel").click()
    with zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes())) as file:
        assert file.namelist() == ["manifest.json", "purchases.xlsx"]

    page.get_by_role("rowheader").get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Record 1 of {OTHER_TERMINAL}")
    expect(page.get_by_text("¥90,000", exact=True)).to_be_visible()
    page.get_by_role("button", name="Open a case").click()
    expect(page.get_by_role("status")).to_contain_text(f"Case {Case.objects.get().pk} is open.")
    fits(page)
    page.get_by_role("link", name=str(world.residents[0])).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("2017")
    fits(page)


def test_a_large_export_shows_how_far_it_is(
    web: str, world: World, workers: Processes, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    sell(world, 5)
    begin_session(page, web, officer("ann", Role.AUDITOR).username)
    monkeypatch.setattr(exported_rows, "SMALL", 0)
    access = Access("user:ann", Role.AUDITOR, OFFICE, "fraud")
    search = PurchaseSearch(year=2017)
    export = request_export("purchases", search, "parquet", access=access, opens_protected=False, at=timezone.now())
    page.goto(f"{web}/console/exports")
    fits(page)
    page.get_by_role("rowheader").get_by_role("link").click()
    expect(page.get_by_role("link", name="Save the file")).to_be_visible(timeout=60_000)
    fits(page)
    export.refresh_from_db()
    assert export.sha256 == sha256_of(file_of(export))
    expect(page.get_by_text(export.sha256)).to_be_visible()

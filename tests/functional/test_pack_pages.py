"""Evidence in the browser: an auditor has the pack of a run and of a case made, and takes a refund's; it holds."""

import os
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from apps.inspections.models import Source
from apps.inspections.operations.cases import open_case
from apps.residents.models import Resident
from apps.simulator.processes import Processes
from tests.functional.test_run_pages import approved_run, assert_fits, sell
from tests.packing import verified
from tests.signing_in import begin_session
from tests.world import World

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]
YEAR = 2017
WORKER_MS = 60_000
SHOTS = os.environ.get("KANPU_SHOTS", "")


@pytest.fixture
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """A Japanese reader's browser without JavaScript: nothing on these pages needs it."""
    return {**browser_context_args, "locale": "ja-JP", "java_script_enabled": False}


def shot(page: Page, name: str) -> None:
    """Keep what is seen, where somebody wants to look at it."""
    if SHOTS:
        for language, switch in (("en", "English"), ("ja", "日本語")):
            page.get_by_role("button", name=switch).click()
            for width in (360, 1280):
                page.set_viewport_size({"width": width, "height": 800})
                page.screenshot(path=f"{SHOTS}/{name}-{language}-{width}.png", full_page=True)


def test_an_auditor_takes_evidence_home_and_checks_it(
    web: str, world: World, workers: Processes, page: Page, tmp_path: Path
) -> None:
    ref = world.residents[0]
    Resident.objects.filter(pk=ref).update(municipality="131121")
    sell(web, world, world.sale(reduced=110_000), world.sale(world.residents[1], reduced=1_000_000))
    run = approved_run()
    begin_session(page, web, "ann")
    page.goto(f"{web}/console/runs/{YEAR}/1")
    expect(page.get_by_role("heading", name="還付額の分布")).to_be_visible()
    page.get_by_role("button", name="証拠書類一式を作る").click()
    expect(page.get_by_role("link", name="保存（ZIP）")).to_be_visible(timeout=WORKER_MS)
    shot(page, "run")
    assert_fits(page)
    page.goto(f"{web}/console/purpose/{ref}?next=/console/refunds?resident={ref}%26year={YEAR}")
    page.locator("main select").select_option("check")
    page.locator("main").get_by_role("button").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="証拠書類一式（ZIP）").click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    assert path.name == f"kanpu-evidence-{YEAR}-1-{ref}.zip"
    assert "all of it holds." in (done := verified(path, "--root", run.root)).stdout, done.stdout
    case = open_case(
        Source.SEARCH, None, subject=f"resident:{ref}", title="A year", at=timezone.now(), actor="user:ann"
    )
    page.goto(f"{web}/console/packs/case/{case.pk}")
    page.get_by_role("button", name="証拠書類一式を作る").click()
    expect(page.get_by_role("link", name="保存（ZIP）")).to_be_visible(timeout=WORKER_MS)
    shot(page, "case")
    assert_fits(page)

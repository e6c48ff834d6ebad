"""Payments of a run in the browser, without JavaScript: made, approved by two, sent, answered, and adding up."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.payouts.models import Batch
from apps.payouts.operations.estimating import run_estimates
from apps.payouts.operations.paying import make_payouts
from apps.refunds.models import Run, RunState
from apps.residents.models import PaymentAccount
from tests import payouts
from tests.functional.test_run_pages import auditors, sign_in, sign_out
from tests.world import YEAR, World

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]
PASSWORD = "a-long-enough-password"


@pytest.fixture
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_context_args, "locale": "ja-JP", "java_script_enabled": False}


@pytest.fixture
def run(web: str, world: World, web_logs: Path, settings: Any) -> Run:
    """Two residents get a refund, one of whom has named no account."""
    settings.KANPU_PAYOUTS = web_logs / "payouts"
    auditors()
    payouts.bank(lead_days=0, cutoff_time="23:59:59")
    one, two = world.residents
    for ref in world.residents:
        payouts.known(ref)
    PaymentAccount.objects.filter(resident=two).delete()
    return payouts.paying_run({one: 4_000, two: 125})


def test_a_run_is_paid_with_two_approvals_until_it_adds_up(web: str, run: Run, page: Page) -> None:
    sign_in(page, web, "ann")
    page.goto(f"{web}/console/payouts")
    page.get_by_role("link", name="支払いを作成する").click()
    page.get_by_role("button", name="集計する").click()
    expect(page.get_by_text("支払可能額を集計しています")).to_be_visible()
    run_estimates()
    page.goto(f"{web}/console/payouts/runs/{YEAR}/1/make?reload=no")
    expect(page.get_by_text("口座なし")).to_be_visible()
    expect(page.get_by_text("4,000円")).to_be_visible()
    make_payouts(YEAR, actor="operator")  # where the vault's keys are
    batch = Batch.objects.get()
    approve(page, web, batch)
    expect(page.get_by_text("2人目の承認は別の監査担当が行います")).to_be_visible()
    sign_out(page)

    sign_in(page, web, "ben")
    approve(page, web, batch)
    page.get_by_role("button", name="ファイルを引き渡す").click()
    expect(page.get_by_text("銀行が受け取る場所にファイルを置きました")).to_be_visible()
    page.goto(f"{web}/console/payouts/results")
    page.get_by_label("銀行の結果・組戻しファイル").set_input_files(payouts.answer(batch, "0"))
    page.get_by_label("結果を取り込む").check()
    page.get_by_role("button", name="送信").click()
    expect(page.get_by_text("結果を取り込みました。")).to_be_visible()

    page.goto(f"{web}/console/payouts")
    expect(page.get_by_text("合計は一致しています")).to_be_visible()
    page.get_by_role("link", name="この精算を完了する").click()
    page.get_by_role("region").get_by_role("link", name="待機中、またはファイル未作成").click()
    expect(page.get_by_text("口座なし").first).to_be_visible()
    run.refresh_from_db()
    assert run.state == RunState.PAYING
    assert payouts.states() == ["paid", "due"]


def approve(page: Page, web: str, batch: Batch) -> None:
    """Approve the file by its page."""
    page.goto(f"{web}/console/payouts")
    page.get_by_role("link", name=batch.file_name).click()
    page.get_by_label("パスワード（再入力）").fill(PASSWORD)
    page.get_by_role("button", name="としてファイルを承認する").click()
    expect(page.get_by_text("ファイルを承認しました")).to_be_visible()

"""An auditor finds an alarm, says for what, sees the records, opens a case, and changes the rule; in both languages."""

from datetime import date
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page, expect

from apps.accruals.operations.years import start_year
from apps.audit.models import AccessRecord
from apps.audit.officers import Role
from apps.inspections.models import Case
from apps.inspections.queries.alarm_rules import rule_in_force
from apps.schemes.operations import SHIPPED, load_scheme
from apps.simulator.processes import Processes
from tests.alarms import YEAR, Ledger, at, looked, run_of
from tests.offices import officer
from tests.pages import assert_fits_in_both_languages
from tests.signing_in import give_factors

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]
TARO = uuid4()


@pytest.fixture
def ledger(db: None) -> Ledger:
    now = timezone.now()
    version, _ = load_scheme(SHIPPED / "jp-2015.yaml", at=now, actor="test")
    start_year(YEAR, version, deadline=date(now.year + 2, 1, 1), at=now, actor="test")
    return Ledger()


def test_an_auditor_follows_an_alarm_to_a_case(web: str, ledger: Ledger, page: Page) -> None:
    run_of(ledger, [uuid4() for _ in range(12)], ledger.till("corner-shop"), at("2017-04-03 18:00"), 9)
    for minute in range(4):
        ledger.sale(TARO, ledger.till("market"), at(f"2017-05-03 09:0{minute}"), 9_900)
    looked()
    sign_in(page, web)
    page.goto(f"{web}/console/alarms")
    assert_fits_in_both_languages(page)
    page.get_by_role("link", name="1台のレジで多数のカードを続けて使用").click()
    assert_fits_in_both_languages(page)
    page.get_by_label("閲覧の目的").select_option("other")
    page.get_by_label("その他の場合：具体的な目的").fill("カードの束の疑い")
    page.get_by_role("button", name="記録を表示").click()
    expect(page.get_by_role("rowheader", name="corner-shop 12")).to_be_visible()
    assert AccessRecord.objects.filter(purpose="カードの束の疑い").count() >= 12
    assert_fits_in_both_languages(page)
    page.get_by_role("button", name="案件を開く").click()
    assert Case.objects.get().title == "1台のレジで多数のカードを続けて使用"

    page.goto(f"{web}/console/alarms?state=new")
    page.get_by_role("checkbox").check()
    page.get_by_label("却下の理由").fill("贈答品")
    page.get_by_role("button", name="選択した警報を却下").click()
    page.get_by_role("button", name="元に戻す").click()
    expect(page.get_by_text("却下を取り消しました。")).to_be_visible()

    page.goto(f"{web}/console/alarms/rules")
    assert_fits_in_both_languages(page)
    page.get_by_role("link", name="1台のレジで多数のカードを続けて使用").click()
    page.get_by_label("異なるカード（以上）").fill("15")
    page.get_by_label("変更の理由").fill("市場の日")
    page.get_by_role("button", name="規則を変更").click()
    expect(page.get_by_role("cell", name="市場の日")).to_be_visible()
    assert rule_in_force("cards_in_a_row").rule.thresholds["cards"] == 15
    assert_fits_in_both_languages(page)


def test_an_auditor_has_workers_look_now(web: str, ledger: Ledger, workers: Processes, page: Page) -> None:
    run_of(ledger, [uuid4() for _ in range(12)], ledger.till("corner-shop"), at("2017-04-03 18:00"), 9)
    sign_in(page, web)
    page.goto(f"{web}/console/alarms")
    expect(page.get_by_text("まだ検索されていません")).to_be_visible()
    box = page.get_by_role("button", name="表示", exact=True).bounding_box()
    assert box is not None
    assert box["height"] < 60  # of one line, beside its filters or below them
    assert_fits_in_both_languages(page)
    page.get_by_role("button", name="今すぐ検索").click()
    expect(page.get_by_text("最後に依頼した検索で、1 件の警報が出ました。")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("link", name="1台のレジで多数のカードを続けて使用")).to_be_visible()
    assert_fits_in_both_languages(page)


def sign_in(page: Page, web: str) -> None:
    """As the auditor ann, in Japanese."""
    officer("ann", Role.AUDITOR)
    give_factors(User.objects.get(username="ann"))
    client = Client()
    client.force_login(User.objects.get(username="ann"))
    page.context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": web}])
    page.set_extra_http_headers({"accept-language": "ja"})

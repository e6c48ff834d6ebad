"""A year end in the browser: auditors take a run from open to paying, residents check, read and appeal."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher, make_password
from django.contrib.auth.models import User
from django.utils import timezone
from kanpu_pos import Client
from playwright.sync_api import Page, expect

from apps.accruals.operations.counting import count_all
from apps.audit.models import Event
from apps.portal.models import Account
from apps.refunds.models import Decision, Run, Step, StepName
from apps.refunds.operations.approving import approve_run
from apps.refunds.operations.assessing import assess_run
from apps.refunds.operations.freezing import freeze
from apps.refunds.operations.verifying import verify_run
from apps.simulator.processes import Processes
from tests.signing_in import begin_session
from tests.world import TERMINAL, World, auditor

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]
YEAR = 2017
PASSWORD = "a-long-enough-password"
WORKER_MS = 60_000


@pytest.fixture
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """A Japanese reader's browser without JavaScript: nothing on these pages needs it."""
    return {**browser_context_args, "locale": "ja-JP", "java_script_enabled": False}


def sell(web: str, world: World, *records: bytes) -> None:
    """Purchases, reported and counted."""
    with Client(web, world.api_key, timeout_s=30) as client:
        client.report(TERMINAL, records)
    count_all()


class AsServed(PBKDF2PasswordHasher):
    """With as many rounds as web servers take; tests take one."""

    iterations = PBKDF2PasswordHasher.iterations


def person(name: str) -> User:
    user, _ = User.objects.get_or_create(username=name)
    user.set_password(PASSWORD)
    user.save()
    return user


def auditors() -> None:
    for name in ("ann", "ben"):
        auditor(name)
        person(name)
    # As the web server keeps passwords: it would hash them anew when one is typed, and that ends the sessions.
    kept = make_password(PASSWORD, hasher=AsServed())
    User.objects.filter(username__in=("ann", "ben")).update(password=kept)


def approved_run() -> Run:
    """The year's run, signed by two."""
    auditors()
    for step in (freeze, assess_run, verify_run):
        step(YEAR, actor="test")
    for name in ("ann", "ben"):
        run = approve_run(YEAR, by=name, actor="test")
    return run


def sign_in(page: Page, web: str, name: str) -> None:
    begin_session(page, web, name)
    page.goto(web)


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="ログアウト").click()
    expect(page.get_by_label("ユーザー名")).to_be_visible()


def assert_fits(page: Page) -> None:
    """No page scrolls sideways, on a phone or on a desk, in both languages."""
    for switch, language in (("English", "en"), ("日本語", "ja")):
        page.get_by_role("button", name=switch).click()
        expect(page.locator("html")).to_have_attribute("lang", language)
        for width in (360, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            box = page.locator("main").bounding_box()
            assert box is not None
            assert box["width"] <= width, (language, width)
            for section in page.locator("main > *").all():
                inner = section.bounding_box()
                assert inner is None or inner["x"] + inner["width"] <= width, (language, width, section)


def sign_the_run(page: Page, password: str) -> None:
    page.get_by_label("パスワード（再入力）").fill(password)
    page.get_by_role("button", name="として署名する").click()


def test_two_auditors_take_a_year_from_open_to_paying(web: str, world: World, workers: Processes, page: Page) -> None:
    auditors()
    sell(web, world, world.sale(reduced=110_000), world.sale(world.residents[1], reduced=1_000_000))
    sign_in(page, web, "ann")
    page.locator("section", has=page.get_by_role("heading", name="2017")).get_by_role(
        "link", name="この年を締め切る"
    ).click()
    page.get_by_role("button", name="この年を締め切る").click()
    expect(page.get_by_text("締切りを受け付けました")).to_be_visible()
    page.get_by_role("link", name="第1回").click(timeout=WORKER_MS)
    page.get_by_role("button", name="計算する").click(timeout=WORKER_MS)
    page.get_by_role("button", name="検算する").click(timeout=WORKER_MS)
    expect(page.get_by_text("一致しています。")).to_be_visible(timeout=WORKER_MS)
    sign_the_run(page, "not the password")
    expect(page.get_by_role("alert")).to_contain_text("パスワードが正しくありません")
    sign_the_run(page, PASSWORD)
    expect(page.get_by_text("別の監査人の署名が必要です")).to_be_visible()
    expect(page.get_by_label("パスワード（再入力）")).to_have_count(0)
    assert_fits(page)
    sign_out(page)
    sign_in(page, web, "ben")
    page.get_by_role("link", name="第1回").click()
    sign_the_run(page, PASSWORD)
    expect(page.locator("li[aria-current=step]")).to_contain_text("承認済み")
    expect(page.get_by_text("未精算の額")).to_be_visible()
    page.get_by_role("link", name="支払いに回す").click()
    expect(page.get_by_text("2件、合計6,000円の還付")).to_be_visible()
    page.get_by_role("button", name="支払いに回す").click()
    expect(page.locator("li[aria-current=step]")).to_contain_text("支払い中")
    events = Event.objects.filter(action__startswith="run.").order_by("pk").values_list("action", "actor")
    assert list(events) == [
        ("run.freeze", "user:ann"), ("run.assess", "user:ann"), ("run.verify", "user:ann"),
        ("run.sign", "user:ann"), ("run.approve", "user:ben"), ("run.pay", "user:ben"),
    ]  # fmt: skip


def test_progress_is_shown_and_the_page_follows_it_until_it_is_done(web: str, world: World, page: Page) -> None:
    auditors()
    freeze(YEAR, actor="test")
    step = Step.objects.create(
        tax_year_id=YEAR, name=StepName.ASSESS, actor="user:ben", requested_at=timezone.now(), done=3, total=10
    )
    sign_in(page, web, "ann")
    page.get_by_role("link", name="第1回").click()
    expect(page.get_by_text("10件中3件が終わりました")).to_be_visible()
    expect(page.get_by_text("実行者：ben")).to_be_visible()
    expect(page.get_by_role("button", name="計算する")).to_have_count(0)
    Step.objects.update(done=7)
    expect(page.get_by_text("10件中7件が終わりました")).to_be_visible(timeout=WORKER_MS)
    page.get_by_role("link", name="止める").click()
    expect(page.locator("meta[http-equiv=refresh]")).to_have_count(0)
    page.get_by_role("link", name="自動で更新する").click()
    Step.objects.filter(pk=step.pk).update(finished_at=timezone.now(), error="Workers are out of coffee.")
    expect(page.get_by_text("Workers are out of coffee.")).to_be_visible(timeout=WORKER_MS)
    expect(page.locator("meta[http-equiv=refresh]")).to_have_count(0)


def test_an_auditor_replays_a_refund_and_keeps_its_statement(web: str, world: World, page: Page) -> None:
    ref = world.residents[0]
    sell(web, world, world.sale(ref, reduced=110_000), world.sale(ref, reduced=1_000_000))
    approved_run()
    sign_in(page, web, "ann")
    page.get_by_text("すべてのページ").click()
    page.get_by_role("link", name="還付の照会").click()
    page.get_by_label("参照番号").fill(str(ref))
    page.get_by_label("年分").fill(str(YEAR))
    page.get_by_role("button", name="照会する").click()
    page.get_by_label("閲覧の目的").select_option("check")
    page.get_by_role("button", name="次へ").click()
    expect(page.get_by_text("1人年4,000円まで").first).to_be_visible()
    page.get_by_role("button", name="購入記録から再計算する").click()
    expect(page.locator("#replay")).to_contain_text("一致しています。")
    expect(page.locator("#replay")).to_contain_text("購入2件")
    assert_fits(page)
    with page.expect_download() as download:
        page.get_by_role("link", name="明細（JSON）").click()
    assert download.value.suggested_filename == "kanpu-statement-2017-1.json"
    page.get_by_role("link", name=re.compile(r"^2017-1-\d{6}$")).click()
    page.get_by_role("button", name="送付を記録する").click()
    expect(page.get_by_text("送付日を記録しました")).to_be_visible()
    page.get_by_label("住民の主張").fill("家族の分です。")
    page.get_by_role("button", name="不服申立てを記録する").click()
    page.get_by_label("決定を維持する").check()
    page.get_by_label("理由").fill("限度額は変わりません。")
    assert_fits(page)
    page.get_by_label("決定を維持する").check()
    page.get_by_label("理由").fill("限度額は変わりません。")
    page.get_by_role("button", name="結果を決める").click()
    expect(page.locator("main .state")).to_have_text("不服申立ての結果：維持")


def test_a_resident_checks_the_statement_offline_reads_the_decision_and_appeals(
    web: str, world: World, page: Page, tmp_path: Path
) -> None:
    ref = world.residents[0]
    sell(web, world, world.sale(ref, reduced=1_000_000), world.sale(world.residents[1], reduced=105))
    run = approved_run()
    Account.objects.create(user=person("hanako"), resident_ref=ref)
    begin_session(page, web, "hanako")
    page.goto(f"{web}/year/{YEAR}")
    expect(page.get_by_text("2人の監査人が署名しました。次に支払われます。")).to_be_visible()
    expect(page.get_by_text("まだ開いていない決定が1件あります")).to_be_visible()
    assert_fits(page)
    page.get_by_role("link", name="第1回精算の明細と証明").click()
    expect(page.get_by_text(run.root)).to_be_visible()
    assert_fits(page)
    saved = {}
    for name in ("証明付きの明細", "kanpu_verify.pyz", "明細書（PDF）"):
        with page.expect_download() as download:
            page.get_by_role("link", name=name).click()
        saved[name] = tmp_path / download.value.suggested_filename
        download.value.save_as(saved[name])
    assert saved["明細書（PDF）"].read_bytes().startswith(b"%PDF")
    statement = saved["証明付きの明細"]
    pyz = [sys.executable, "-I", str(saved["kanpu_verify.pyz"])]
    for checker in ([sys.executable, "-m", "kanpu_verify"], pyz):
        command = [*checker, str(statement), "--root", run.root]
        checked = subprocess.run(command, capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stdout + checked.stderr
    tampered = tmp_path / "tampered.json"
    tampered.write_text(statement.read_text().replace('"entitled_minor": 4000', '"entitled_minor": 5000'))
    assert subprocess.run([*pyz, str(tampered)], capture_output=True, check=False).returncode == 1

    page.locator("summary", has_text="すべてのページ").click()
    page.get_by_role("link", name="決定", exact=True).click()
    expect(page.get_by_text("未開封")).to_be_visible()
    assert_fits(page)
    page.get_by_role("link", name=re.compile("2017年分の決定")).click()
    expect(page.get_by_text("1人年4,000円まで")).to_be_visible()
    decision = Decision.objects.get()
    assert decision.state == Decision.State.NOTIFIED
    assert Event.objects.get(action="decision.notify").actor == "resident"
    page.get_by_label("不服の理由").fill("限度額を超える分も還付してください。")
    assert_fits(page)
    page.get_by_label("不服の理由").fill("限度額を超える分も還付してください。")
    page.get_by_role("button", name="不服を申し立てる").click()
    expect(page.get_by_text("不服申立てを受け付けました")).to_be_visible()
    decision.refresh_from_db()
    assert (decision.state, decision.appeal_reason) == ("appealed", "限度額を超える分も還付してください。")

"""A case in the browser, in both languages: from an alarm to the reply, and to what two auditors decide."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Browser, BrowserContext, Page, expect

from apps.audit.models import AccessRecord
from apps.audit.officers import Role
from apps.audit.operations import Cause, raise_alarms
from apps.inspections.models import Annulment, Case
from apps.portal.models import Account
from tests.functional.test_dispute_pages import LOCALES, Words, back_to, sign_in, words_of
from tests.judging import key
from tests.offices import PASSWORD, officer
from tests.till import RawTill
from tests.world import World
from tests.year_end import count, dues, to_approved, to_verified

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


@pytest.fixture
def hanako(web: str, world: World) -> World:
    """A resident who bought for 300 yen's refund that was settled; an alarm is about the larger purchase."""
    user = User.objects.create_user("hanako", password=PASSWORD)
    Account.objects.create(user=user, resident_ref=world.residents[0])
    till = RawTill(world)
    count(till, till.sale(reduced=11_000), till.sale(reduced=5_500))
    for name in ("ann", "ben"):
        officer(name, Role.AUDITOR, office="還付事務所 東京")
    terminal_id, seq = key(1)
    detail: dict[str, object] = {"terminal_id": terminal_id, "seq": seq}
    raise_alarms([Cause("seq_conflict", f"{terminal_id}:{seq}", detail)], at=timezone.now())
    return world


def state_purpose(page: Page, language: str, say: Words) -> None:
    """Say for what; the case's number is there already."""
    expect(page.locator("#id_case")).to_have_value(Case.objects.get().number)
    back_to(page, language)
    page.get_by_label(say("Purpose"), exact=True).select_option("fraud")
    page.get_by_role("button", name=say("Go on")).click()


def opened(context: BrowserContext, web: str, name: str, language: str, say: Words) -> Page:
    """The purchase of the case, opened by an auditor from the list of cases."""
    page = sign_in(context, web, name)
    page.goto(f"{web}/console/cases")
    page.get_by_role("link", name=Case.objects.get().number).click()
    page.get_by_role("link", name=say("Open it (the resident reads that you did)")).click()
    state_purpose(page, language, say)
    return page


@pytest.mark.parametrize("language", ["ja", pytest.param("en", marks=pytest.mark.long)])
def test_from_an_alarm_to_an_annulled_purchase_and_the_next_run(
    web: str, hanako: World, browser: Browser, language: str
) -> None:
    say, one = words_of(language), hanako.residents[0]
    to_approved()
    assert dues(1)[one] == (300, 0, 300)
    contexts: list[Any] = [browser.new_context(locale=LOCALES[language]) for _ in range(3)]
    ann = sign_in(contexts[0], web, "ann")
    ann.goto(f"{web}/console/cases")
    expect(
        ann.get_by_text(say("There is no such case. Open one at an alarm or a dispute, or by hand."))
    ).to_be_visible()
    back_to(ann, language)
    ann.get_by_role("link", name=say("Open a case by hand")).click()
    back_to(ann, language)
    ann.goto(f"{web}/console/alarms")
    back_to(ann, language)
    ann.locator("main table a").first.click()
    back_to(ann, language)
    ann.get_by_role("button", name=say("Open a case")).click()
    ann.get_by_role("button", name=say("Take the case")).click()
    ann.locator("#comment_text").fill("店舗に記録を問い合わせた。")
    ann.get_by_role("button", name=say("Add the comment")).click()
    back_to(ann, language)
    here = ann.url
    ann.get_by_role("link", name=say("Open it (the resident reads that you did)")).click()
    assert not AccessRecord.objects.filter(what__startswith="case-purchase").exists()
    state_purpose(ann, language, say)
    back_to(ann, language)
    ann.get_by_label(say("What is held against this purchase? The resident reads it.")).fill("店の在庫と合いません。")
    ann.get_by_role("button", name=say("Tell the resident")).click()
    expect(ann.get_by_role("status")).to_contain_text(say("The resident is told, and may reply."))
    expect(ann.get_by_role("button", name=say("Propose the annulment"))).to_have_count(0)
    back_to(ann, language)

    page = sign_in(contexts[1], web, "hanako")
    page.goto(f"{web}/messages")
    back_to(page, language)
    page.goto(f"{web}/hearings")
    back_to(page, language)
    page.get_by_role("rowheader").get_by_role("link").click()
    expect(page.get_by_text("店の在庫と合いません。")).to_be_visible()
    back_to(page, language)
    page.get_by_label(say("Your reply")).fill("米を買いました。")
    page.get_by_role("button", name=say("Send the reply")).click()
    expect(page.get_by_role("status")).to_contain_text(say("Your reply is with the refund office."))
    back_to(page, language)
    page.goto(f"{web}/accesses")
    expect(page.get_by_text(Case.objects.get().number).first).to_be_visible()

    ann.reload()
    expect(ann.get_by_text("米を買いました。")).to_be_visible()
    ann.get_by_label(say("Reasons, which the resident reads")).fill("レジの記録がありません。")
    ann.get_by_role("button", name=say("Propose the annulment")).click()
    expect(ann.get_by_role("button", name=say("Approve the annulment"))).to_have_count(0)
    back_to(ann, language)
    ben = opened(contexts[2], web, "ben", language, say)
    back_to(ben, language)
    ben.get_by_role("button", name=say("Approve the annulment")).click()
    expect(ben.get_by_role("status")).to_contain_text(
        say("The purchase is annulled, and the resident gets a decision.")
    )
    back_to(ben, language)

    ann.goto(here)
    ann.get_by_label(say("Purchases annulled, and what was paid is claimed back")).check()
    ann.get_by_label(say("Reasons")).fill("レジの記録がありません。")
    ann.get_by_role("button", name=say("Close the case")).click()
    expect(ann.get_by_role("status")).to_contain_text(say("The case is closed."))
    back_to(ann, language)
    ann.goto(f"{web}/console/cases?stage=closed")
    back_to(ann, language)

    page.goto(f"{web}/hearings/{Annulment.objects.get().pk}")
    back_to(page, language)
    page.get_by_role("link", name=say("The decision, and how to appeal")).click()
    expect(page.get_by_text("レジの記録がありません。")).to_be_visible()
    back_to(page, language)
    for context in contexts:
        context.close()
    to_verified()
    assert dues(2)[one] == (100, 300, -200)

"""From the letter to the corrected refund in the browser, in both languages.

Activated, seen, disputed, a photo blacked out and sent, decided by two, put right.
"""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone, translation
from django.utils.translation import gettext
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect

from apps.accruals.models import Dispute
from apps.audit.officers import Role
from apps.portal.models import Account
from apps.residents.models import Photo
from apps.residents.operations.notices import draw_codes
from tests.identities import enter
from tests.offices import PASSWORD, officer
from tests.pages import assert_fits_in_both_languages
from tests.signing_in import on_localhost, virtual_authenticator
from tests.till import RawTill
from tests.unit.test_pictures import with_place
from tests.world import World
from tests.year_end import count

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]
Words = Callable[[str], str]
LOCALES = {"ja": "ja-JP", "en": "en-GB"}


def words_of(language: str) -> Words:
    """Msgids in a language."""

    def words(text: str) -> str:
        with translation.override(language):
            return gettext(text)

    return words


def sign_in(context: BrowserContext, web: str, name: str) -> Page:
    """A page of somebody who has signed in."""
    client = Client()
    client.force_login(User.objects.get(username=name))
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": web}])
    return context.new_page()


def back_to(page: Page, language: str) -> None:
    """Look at the page in both languages and go on in one."""
    if language == "en":
        page.get_by_role("button", name="日本語").click()
        expect(page.locator("html")).to_have_attribute("lang", "ja")
    assert_fits_in_both_languages(page)
    if language == "en":
        page.get_by_role("button", name="English").click()
        expect(page.locator("html")).to_have_attribute("lang", "en")


def auditor_page(context: BrowserContext, web: str, name: str, dispute: Dispute, say: Words) -> Page:
    """An auditor who has opened the dispute for a purpose."""
    page = sign_in(context, web, name)
    page.goto(f"{web}/console/disputes")
    page.get_by_role("link", name=dispute.number).click()
    page.get_by_label(say("Purpose"), exact=True).select_option("dispute")
    page.get_by_role("button", name=say("Go on")).click()
    return page


def activate(page: Page, web: str, code: str, say: Words) -> None:
    """With the letter's code to a passkey of this browser, and to the first page of the own."""
    virtual_authenticator(page)
    page.goto(f"{web}/activate")
    page.get_by_label(say("Code of the letter")).fill(code)
    page.get_by_label(say("Birth date, as in 1990-04-01 or 19900401")).fill("1990-04-01")
    page.get_by_role("button", name=say("Continue")).click()
    page.get_by_label(say("User name")).fill("hanako")
    page.get_by_role("button", name=say("With a passkey")).click()
    page.wait_for_load_state("networkidle")  # the button is the script's
    page.get_by_role("button", name=say("Make the passkey")).click()
    page.get_by_role("link", name=say("I have them: continue")).click()


@pytest.fixture
def rice(world: World) -> World:
    """A resident who bought rice that the shop took for something else."""
    till = RawTill(world)
    count(till, till.sale(standard=5_500), till.sale(reduced=1_100))
    for name in ("ann", "ben"):
        officer(name, Role.AUDITOR, office="還付事務所 東京")
    return world


@pytest.fixture
def code(rice: World, tmp_path: Path) -> str:
    """The code of that resident's letter."""
    ref = rice.residents[0]
    enter(ref)
    return draw_codes([ref], file=tmp_path / "notices.pdf", at=timezone.now())[ref].code


@pytest.mark.parametrize("language", ["ja", pytest.param("en", marks=pytest.mark.long)])
def test_from_the_letter_to_the_corrected_refund(
    web: str, code: str, browser: Browser, tmp_path: Path, language: str
) -> None:
    say = words_of(language)
    contexts: list[Any] = [browser.new_context(locale=LOCALES[language]) for _ in range(3)]
    page, web_of_hanako = contexts[0].new_page(), on_localhost(web)
    activate(page, web_of_hanako, code, say)
    page.goto(f"{web_of_hanako}/year/2017")
    expect(page.locator(".figure").first).to_have_text("¥20" if language == "en" else "20円")
    page.get_by_role("link", name=say("Purchases"), exact=True).first.click()
    back_to(page, language)
    page.locator("#found a").last.click()
    back_to(page, language)
    page.get_by_role("link", name=say("Wrong tax tier")).click()
    back_to(page, language)
    page.locator("#id_tier_standard").fill("")
    page.locator("#id_tier_reduced").fill("5500")
    page.get_by_label(say("What should we know? (optional)")).fill("お米です。")
    page.get_by_role("button", name=say("Go on")).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(say("Check your dispute"))
    page.get_by_role("button", name=say("Send the dispute")).click()
    expect(page.get_by_role("status")).to_contain_text(say("Your dispute is with the refund office."))
    back_to(page, language)
    dispute = Dispute.objects.get()
    at = page.url

    ann = auditor_page(contexts[1], web, "ann", dispute, say)
    back_to(ann, language)
    ann.get_by_label(say("Question to the resident")).fill("レシートの写真を送ってください。")
    ann.get_by_label(say("Ask for a photo of the receipt")).check()
    ann.get_by_role("button", name=say("Ask"), exact=True).click()
    expect(ann.get_by_role("status")).to_contain_text(say("The resident is asked."))

    page.goto(at)
    back_to(page, language)
    (tmp_path / "receipt.jpg").write_bytes(with_place())
    page.get_by_label(say("Photo of the receipt (JPEG, PNG or WebP)")).set_input_files(tmp_path / "receipt.jpg")
    page.get_by_role("button", name=say("Add a bar")).focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-blacken-said]")).to_have_text(f"{say('Black bars:')} 1")
    for _ in range(5):
        page.keyboard.press("Shift+ArrowDown")
    assert_fits(page)
    page.get_by_role("button", name=say("Send the answer")).click()
    expect(page.get_by_role("status")).to_contain_text(say("Your answer is with the refund office."))
    back_to(page, language)

    ann.reload()
    photo = ann.request.get(f"{web}/console/disputes/{dispute.pk}/photo.jpg")
    picture = Image.open(io.BytesIO(photo.body()))
    assert picture.size == (480, 640)
    assert sum(picture.convert("L").resize((1, 1), box=(240, 320, 250, 330)).tobytes()) < 16
    assert picture.convert("L").getpixel((5, 5)) == 255
    ann.get_by_label(say("Uphold, as far as the amounts say")).check()
    ann.get_by_label(say("Reasons, which the resident reads")).fill("お米は飲食料品です。")
    ann.get_by_role("button", name=say("Propose the decision")).click()
    back_to(ann, language)

    ben = auditor_page(contexts[2], web, "ben", dispute, say)
    back_to(ben, language)
    ben.get_by_role("button", name=say("Approve the decision")).click()
    expect(ben.get_by_role("status")).to_contain_text(say("The dispute is decided, and what it changes is changed."))
    back_to(ben, language)
    ben.goto(f"{web}/console/disputes")
    back_to(ben, language)
    assert not Photo.objects.exists()

    page.goto(at)
    expect(page.get_by_text(say("You were right: your dispute is upheld."))).to_be_visible()
    expect(page.get_by_text("お米は飲食料品です。")).to_be_visible()
    back_to(page, language)
    page.goto(f"{web_of_hanako}/disputes")
    back_to(page, language)
    page.goto(f"{web_of_hanako}/year/2017")
    expect(page.locator(".figure").first).to_have_text("¥120" if language == "en" else "120円")
    for context in contexts:
        context.close()


def assert_fits(page: Page) -> None:
    """The tool for blacking out fits a phone."""
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")


def test_a_missing_purchase_is_reported_without_script(web: str, rice: World, browser: Browser) -> None:
    user = User.objects.create_user("hanako", password=PASSWORD)
    Account.objects.create(user=user, resident_ref=rice.residents[0])
    say = words_of("ja")
    context = browser.new_context(locale="ja-JP", java_script_enabled=False)
    page = sign_in(context, web, "hanako")
    page.goto(f"{web}/disputes")
    page.get_by_role("link", name=say("Report a missing purchase")).click()
    page.get_by_label(say("Shop, as on the receipt")).fill("青果 山田")
    page.get_by_label(say("Day on the receipt")).fill("2017-08-03")
    page.get_by_label(say("Time on the receipt (Japan)")).fill("10:05")
    page.get_by_role("button", name=say("Go on")).click()
    page.locator("#id_tier_reduced").fill("5500")
    page.get_by_role("button", name=say("Go on")).click()
    page.get_by_role("button", name=say("Send the dispute")).click()
    expect(page.get_by_role("status")).to_contain_text(say("Your dispute is with the refund office."))
    assert Dispute.objects.get().shop == "青果 山田"
    context.close()

"""Every page in a browser: on a phone and on a desk, in both languages, in light and dark, with the keyboard alone."""

import time
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, Final

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, BrowserContext, Page

from apps.audit.officers import Role
from apps.audit.strength import RECORDS
from tests.addresses import ADDRESSES, RESIDENT_A, STRANGER, routes
from tests.offices import signed_in
from tests.pages import YEAR
from tests.site import Site, furnish, people
from tests.world import World

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]
NEWCOMER: Final = "newcomer"  # an officer who has a password alone, as yet
READERS: Final = (STRANGER, NEWCOMER, RESIDENT_A, Role.CLERK, Role.OPERATOR, Role.HELPDESK, Role.AUDITOR)
LOOKS: Final = ((360, "light"), (1280, "dark"))  # widths, and what of each
AXE_AT: Final = {"ja-JP": 360, "en-US": 1280}  # every page in light and in dark, narrow and wide, in one language each
MORE: Final = {  # what addresses alone do not show
    RESIDENT_A: ("/nothing",),
    STRANGER: ("/activate/account",),
    NEWCOMER: ("/office/key", "/sign-in/second-factor", "/sign-in/program", "/sign-in/again/password"),
    Role.AUDITOR: (
        "/console/refunds?resident={ref}&year={year}&replay=1",
        "/console/what-if/{year}?scheme=jp-zero-food",
        "/console/accesses?actor=user:sato",
    ),
}
REFUSING: Final = (  # forms that an empty one comes back from, with what is wrong
    "login", "activate", "office-open", "office-lost", "office-returned", "office-import", "office-password",
    "office-hand-over", "purpose", "claim-code", "dispute-missing", "payment-account", "payment-post-bank",
    "my-mail", "my-proxies", "my-decision", "password", "mfa_reauthenticate", "question", "office-question",
    "office-account-enter", "dispute", "decision", "payout-holds", "payout-results",
)  # fmt: skip
AXE_SCRIPT: Final = files("axe_playwright_python").joinpath("axe.min.js").read_text()
DRAWN_BY_OTHERS: Final = ".reference"  # the API's reference is Swagger's own
AXE: Final = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
    "rules": {"target-size": {"enabled": True}},
    "resultTypes": ["violations"],
}
CHECK: Final = """async ([options, but]) => {
    const found = await axe.run({exclude: [[but]]}, options);
    return found.violations.flatMap(v => v.nodes.map(n => `${v.id}: ${n.html.slice(0, 160)}`));
}"""
WIDE: Final = """() => [...document.querySelectorAll('main *')]
    .filter(one => one.scrollWidth > innerWidth).slice(-2).map(one => one.outerHTML.slice(0, 160))"""
# What can be used with a mouse, and so must be with the keyboard; of radio buttons the group is one stop.
LISTEN: Final = """(but) => {
    const all = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]';
    const group = (one) => one.type === 'radio' ? one.form.querySelector(`[name="${one.name}"]`) : one;
    window.waiting = new Set([...document.querySelectorAll(all)]
        .filter(one => !one.disabled && one.checkVisibility() && !one.closest(but)).map(group));
    window.unseen = [];
    document.activeElement.blur();
    addEventListener('focusin', ({target}) => {
        const style = getComputedStyle(target), box = target.getBoundingClientRect();
        const shown = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 && box.right > 0;
        if (!shown && target.id !== 'main' && waiting.has(group(target))) unseen.push(target.outerHTML.slice(0, 160));
        waiting.delete(group(target));
    });
    return waiting.size;
}"""
MISSED: Final = "() => [...[...waiting].map(one => 'not reached: ' + one.outerHTML.slice(0, 160)), ...unseen]"


@pytest.fixture
def site(web: str, world: World) -> Site:
    """A world with something on every page."""
    return furnish(world)


@pytest.mark.parametrize("locale", AXE_AT)
def test_every_page_can_be_used_by_everybody(web: str, site: Site, browser: Browser, locale: str) -> None:
    wrong, seen = [], set[str]()
    for who, client in readers(site).items():
        context = context_of(browser, web, client, locale)
        page = context.new_page()
        said = listened_to(page)
        for path in pages_of(site, who, seen):
            page.goto(web + path)
            found = said.copy() + looked_at(page, locale)
            if locale == "ja-JP":
                found += tabbed_through(page)
            wrong += [(path, who, one) for one in dict.fromkeys(found)]
            said.clear()
        context.close()
    assert not wrong, wrong
    assert len(seen) > 40


def test_what_is_wrong_with_a_form_is_told_to_everybody(web: str, site: Site, browser: Browser) -> None:
    wrong, left = [], set(REFUSING)
    for who, client in readers(site).items():
        context = context_of(browser, web, client, "ja-JP")
        page = context.new_page()
        for route in routes():
            address = ADDRESSES[route.name]
            if route.name in left and address.is_for(who) and not (address.gives == "door" and who != STRANGER):
                left.remove(route.name)
                page.goto(web + site.path(route))
                form = page.locator("main form").last
                with page.expect_navigation():
                    form.evaluate("form => { form.noValidate = true; form.requestSubmit(); }")
                if not page.locator("main .field-error, main [role=alert]").count():
                    wrong.append((route.name, who, "says nothing"))
                wrong += [(route.name, who, one) for one in looked_at(page, "ja-JP")]
        context.close()
    assert left == set()
    assert not wrong, wrong


def readers(site: Site) -> dict[str, Client]:
    """Who opens pages here, a letter's code already checked."""
    browsers = people(site)
    session = browsers[STRANGER].session
    session["activation"] = {"notice": site.samples["notice_id"], "at": timezone.now().isoformat()}
    session.save()
    browsers[NEWCOMER] = newcomer()
    return {who: browsers[who] for who in READERS}


def newcomer() -> Client:
    """The browser of an officer who signed in by password just now."""
    client = signed_in(Role.AUDITOR, name="newcomer")
    session = client.session
    session[RECORDS] = [{"method": "password", "at": time.time()}]
    session.save()
    return client


def context_of(browser: Browser, web: str, client: Client, locale: str) -> BrowserContext:
    """A browser in which the client's user is signed in already."""
    context = browser.new_context(locale=locale)
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": web}])
    return context


def pages_of(site: Site, who: str, seen: set[str]) -> Iterator[str]:
    """The pages that somebody may open and nobody was seen to open before."""
    for route in routes():
        address = ADDRESSES[route.name]
        is_shown = address.gives == "page" or (address.gives == "door" and who == STRANGER)
        if is_shown and address.is_for(who) and route.name not in seen:
            seen.add(route.name)
            yield site.path(route)
    yield from (path.format(ref=site.ref, year=YEAR) for path in MORE.get(who, ()))


def listened_to(page: Page) -> list[str]:
    """A list that fills with what the browser complains of: errors of scripts, and of the content security policy."""
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(f"script: {error}"))
    page.on("console", lambda message: said.append(message.text) if complains(message) else None)
    return said


def complains(message: Any) -> bool:
    """Whether it is an error, and not only that a page is not there, which is what that page says."""
    return message.type == "error" and "status of 404" not in message.text


def looked_at(page: Page, locale: str) -> list[str]:
    """Whether the page scrolls sideways at each width, and what axe finds at one."""
    found: list[str] = []
    page.evaluate(AXE_SCRIPT)
    for width, scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        if page.evaluate("document.scrollingElement.scrollWidth > innerWidth"):
            found.append(f"wider than {width} px: {page.evaluate(WIDE)}")
        if width == AXE_AT[locale]:
            found += [f"{width} {scheme}: {one}" for one in page.evaluate(CHECK, [AXE, DRAWN_BY_OTHERS])]
    return found


def tabbed_through(page: Page) -> list[str]:
    """What Tab does not reach, or reaches without a frame around it."""
    for _ in range(page.evaluate(LISTEN, DRAWN_BY_OTHERS)):
        page.keyboard.press("Tab")
    further = 0
    while page.evaluate("waiting.size") and further < 200:  # a field for a day has three stops of its own
        page.keyboard.press("Tab")
        further += 1
    missed: list[str] = page.evaluate(MISSED)
    return missed

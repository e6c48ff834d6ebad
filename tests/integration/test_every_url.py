"""Every address as every role: who may, may; to everybody else it is not there. The table is tests/addresses.py."""

import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.db import transaction
from django.shortcuts import resolve_url
from django.test import Client, override_settings
from django.utils import timezone

from apps.accruals.queries.finding import FOUND_A_PAGE
from apps.audit.officers import Role
from tests.addresses import (
    ADDRESSES,
    ANYBODY,
    NOBODY,
    RESIDENT,
    RESIDENT_A,
    RESIDENT_B,
    SIGNED_IN,
    STRANGER,
    SUPERUSER,
    TEST_TILLS,
    TILL,
    TILLS,
    Address,
    Route,
    missing_in_table,
    routes,
)
from tests.markup import Form, Markup
from tests.pages import YEAR, queries_of
from tests.site import SHUT, Site, as_whom, furnish, people
from tests.site_heap import MANY, heap
from tests.world import build_world

ROUTES: Final = list(routes())
NO_SUCH: Final = {"int": 2**31 - 1, "uuid": "00000000-0000-4000-8000-000000000000", "slug": "none", "str": "none"}
WRONG: Final = (0, 2**15, 2**31, 10**40, "x", "%00", "1%2F2", "%C3%A9" * 200, NO_SUCH["uuid"])
ASKED: Final = ("page", "held", "year", "day", "kind", "stage", "actor", "resident", "replay", "scheme", "next", "q")
ODD: Final = ("", "0", "9" * 30, "\0", "１", "2017-02-30", "'\"<script>", "9" * 5000)  # too long for Python's numbers
API: Final = (TILLS, TEST_TILLS)
COOKIES: Final = {"csrftoken", "sessionid", "messages", "django_language"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody was answered at an address."""

    route: Route
    who: str
    method: str
    answer: Any

    @property
    def address(self) -> Address:
        """The line of the table."""
        return ADDRESSES[self.route.name]

    @property
    def is_theirs(self) -> bool:
        """Whether it is there for whoever asked."""
        return self.address.is_for(as_whom(self.who))

    def __repr__(self) -> str:
        answer = self.answer
        return f"{self.who}: {self.method} {self.route.name} {answer.status_code} {answer.headers.get('Location', '')}"


@contextmanager
def site_in_a_transaction(folder: Path) -> Iterator[Site]:
    """A site that is gone at the end of the block, and out of whose transaction the vault can be read."""
    keys = {"KANPU_KEYRING": folder / "keyring.json", "KANPU_VAULT_KEYS": folder / "vault.json"}
    outer = transaction.atomic()
    outer._from_testcase = True  # type: ignore[attr-defined]  # as Django's own test cases do: see durable=True
    with override_settings(**keys, KANPU_ARCHIVE=folder / "archive"), outer:
        yield furnish(build_world(folder))
        transaction.set_rollback(True)


@pytest.fixture(scope="module")
def walk(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> list[Asked]:
    """Every address, asked for a page and with an empty form."""
    with django_db_blocker.unblock(), site_in_a_transaction(tmp_path_factory.mktemp("walk")) as site:
        return [
            Asked(route, who, method, asked(client, method, site.path(route)))
            for who, client in people(site).items()
            for route in ROUTES
            for method in ("GET", "POST")
            if is_walked(ADDRESSES[route.name], who, method)
        ]


def is_walked(address: Address, who: str, method: str) -> bool:
    """Whether it is asked. To whom a page is not there, its form is neither: that, two of them show for all."""
    if SHUT in who and not address.is_opened:
        return False
    is_telling = method == ("POST" if address.gives == "act" else "GET")
    return is_telling or address.is_for(as_whom(who)) or who in (STRANGER, RESIDENT_B)


@pytest.fixture
def site(db: None, tmp_path: Path) -> Iterator[Site]:
    """The same for a test of its own."""
    with site_in_a_transaction(tmp_path) as made:
        yield made


def asked(client: Client, method: str, path: str, data: dict[str, Any] | None = None) -> Any:
    """The answer, 500 for whatever fails. What it changed is as before, and so is who is signed in."""
    client.raise_request_exception = False
    cookies = SimpleCookie({name: morsel.value for name, morsel in client.cookies.items()})
    savepoint = transaction.savepoint()
    answer: Any = client.generic(method, path) if data is None else client.post(path, data)
    answer.text_sent = "" if answer.streaming else answer.content.decode(errors="replace")
    transaction.savepoint_rollback(savepoint)
    sent, client.cookies = client.cookies, cookies
    answer.cookies_sent = {name: m for name, m in sent.items() if m.value != getattr(cookies.get(name), "value", "")}
    return answer


def asks_to_sign_in(answer: Any) -> bool:
    return answer.status_code == 302 and str(answer["Location"]).startswith(
        (f"{resolve_url('login')}?next=", "/admin/login/")
    )


def test_every_address_is_in_the_table() -> None:
    assert missing_in_table() == set()


def test_who_may_open_an_address_opens_it_and_to_others_it_is_not_there(walk: list[Asked]) -> None:
    assert [one for one in walk if one.method == "GET" and not is_right(one)] == []


OPENING = ("/office/open", "/console/purpose/", "/console/find/purpose")  # where purposes are asked for


def is_right(one: Asked) -> bool:
    """Whether a GET is answered as the table says."""
    address, answer = one.address, one.answer
    if not one.is_theirs:
        return is_refused(one) or ("GET" not in address.methods and answer.status_code == 405)
    if address.gives == "act":
        return bool(answer.status_code == 405)
    is_led_on = answer.status_code == 302 and not asks_to_sign_in(answer)
    if address.is_opened and one.who.endswith(SHUT):
        return is_led_on and str(answer["Location"]).startswith(OPENING)
    if address.gives == "way" or (address.gives == "door" and one.who not in (STRANGER, TILL)):
        return is_led_on
    return bool(answer.status_code == 200) and is_html(answer) == (address.gives != "file")


def is_refused(one: Asked) -> bool:
    """Whether somebody is sent to sign in, or told what everybody is told of what does not exist."""
    if one.address.may in API:
        return one.answer.status_code in (401, 403)
    if one.address.may == NOBODY:
        return bool(one.answer.status_code == 404)
    return asks_to_sign_in(one.answer) if one.who in (STRANGER, TILL) else bool(one.answer.status_code == 404)


def test_an_empty_form_is_refused_to_the_same_people_and_nowhere_fails(walk: list[Asked]) -> None:
    assert [one for one in walk if one.method == "POST" and not is_rightly_taken(one)] == []


def is_rightly_taken(one: Asked) -> bool:
    """Whether an empty form is answered as the table says."""
    if not one.address.takes_forms:
        return bool(one.answer.status_code == 405) or is_refused(one)
    if not one.is_theirs:
        return is_refused(one)
    return one.answer.status_code in (200, 302, 400, 409) and not asks_to_sign_in(one.answer)


def test_what_is_anothers_is_answered_as_what_does_not_exist(site: Site) -> None:
    own = [route for route in ROUTES if ADDRESSES[route.name].is_own]
    assert len(own) >= 5
    taro = people(site)[RESIDENT_B]
    for route in own:
        nothing = {name: NO_SUCH[kind] for name, kind in route.types.items()}
        for method in ADDRESSES[route.name].methods:
            anothers, nobodys = (asked(taro, method, path) for path in (site.path(route), route.filled(nothing)))
            assert (route.name, anothers.status_code, nobodys.status_code) == (route.name, 404, 404)
            assert told(anothers) == told(nobodys)


def told(answer: Any) -> list[str]:
    """What a page says, but for the form's token and its own address."""
    return [line for line in answer.text_sent.splitlines() if 'type="hidden"' not in line]


def test_nothing_of_one_residents_is_on_what_another_reads(site: Site) -> None:
    browsers = people(site)
    mine = [route for route in ROUTES if ADDRESSES[route.name].is_for(RESIDENT_A)]
    found = {secret for route in mine for secret in said(site, browsers[RESIDENT_A], route)}
    assert {site.secrets[0], "ヨシダ ハナコ", "1,234,567"} <= found  # they are found where they are
    for who in (RESIDENT_B, STRANGER, SUPERUSER):
        assert [(route.name, who, said(site, browsers[who], route)) for route in ROUTES if
                said(site, browsers[who], route)] == []  # fmt: skip


def said(site: Site, client: Client, route: Route) -> list[str]:
    """The secrets of resident A's that an address gives away."""
    text = asked(client, "GET", site.path(route)).text_sent.replace(site.path(route), "")
    return [secret for secret in site.secrets if secret in text]


def test_who_has_nothing_to_be_asked_for_again_finds_no_such_page(site: Site) -> None:
    user = User.objects.get(username="taro")
    Authenticator.objects.filter(user=user).delete()
    client = Client()
    client.force_login(user)
    for path in ("again", "again/password", "again/code", "again/passkey"):
        answers = [asked(client, method, f"/sign-in/{path}") for method in ("GET", "POST")]
        assert [answer.status_code for answer in answers] == ([404, 405] if path == "again" else [404, 404])


SOME: Final = pytest.mark.parametrize("many", [2, pytest.param(99, marks=pytest.mark.long)])


def some_of(values: tuple[Any, ...], many: int, name: str) -> tuple[Any, ...]:
    """So many of the values, others at each address."""
    first = zlib.crc32(name.encode())
    return tuple(values[(first + step) % len(values)] for step in range(min(many, len(values))))


@SOME
def test_wrong_arguments_never_fail(site: Site, many: int) -> None:
    browsers, wrong = people(site), []
    for route in ROUTES:
        who = next((name for name in browsers if ADDRESSES[route.name].is_for(name)), STRANGER)
        for argument in route.types:
            for value in some_of(WRONG, many, route.name):
                for method in ADDRESSES[route.name].methods:
                    path = site.path(route, **{argument: value})
                    if (status := asked(browsers[who], method, path).status_code) >= 500:
                        wrong.append((route.name, method, argument, value, status))
    assert wrong == []


@SOME
def test_odd_questions_never_fail(site: Site, many: int) -> None:
    browsers, wrong = people(site), []
    for route in ROUTES:
        if "GET" in ADDRESSES[route.name].methods:
            who = next((name for name in browsers if ADDRESSES[route.name].is_for(name)), STRANGER)
            for value in some_of(ODD, many, route.name):
                path = f"{site.path(route)}?{urlencode(dict.fromkeys(ASKED, value))}"
                if (status := asked(browsers[who], "GET", path).status_code) >= 500:
                    wrong.append((route.name, value, status))
    assert wrong == []


@SOME
def test_forms_filled_with_nonsense_never_fail(site: Site, many: int) -> None:
    browsers, wrong = people(site), []
    forms = {str(form): (form, who) for who in browsers for form in forms_of(site, who, browsers[who])}
    for form, who in forms.values():
        for value in some_of(ODD, many, form.action):
            given = dict.fromkeys(form.names, value)
            if (status := asked(browsers[who], "POST", form.action, given).status_code) >= 500:
                wrong.append((who, form.action, value, status))
    assert len(forms) > 20
    assert wrong == []


def forms_of(site: Site, who: str, client: Client) -> Iterator[Form]:
    """The forms of the pages that somebody may open, each with the address that it goes to."""
    for route in ROUTES:
        if ADDRESSES[route.name].gives in ("page", "door") and ADDRESSES[route.name].is_for(who):
            path = site.path(route)
            for form in Markup(asked(client, "GET", path).text_sent).forms:
                if form.method == "post":
                    yield Form(form.action or path, form.method, form.names)


# --- what pages are ---


def test_every_answer_in_html_is_whole_and_has_nothing_inline(walk: list[Asked]) -> None:
    pages = [one for one in walk if is_html(one.answer)]
    assert len({one.route.name for one in pages}) > 50
    assert [(one, wrong) for one in pages if (wrong := Markup(one.answer.text_sent).wrong("en"))] == []


def is_html(answer: Any) -> bool:
    return bool(answer.text_sent) and answer.headers.get("Content-Type", "").startswith("text/html")


def test_pages_are_whole_in_japanese_as_well(site: Site) -> None:
    wrong = []
    for who, client in people(site).items():
        client.defaults["HTTP_ACCEPT_LANGUAGE"] = "ja"
        for route in ROUTES:
            if "GET" in ADDRESSES[route.name].methods and ADDRESSES[route.name].is_for(who):
                answer = asked(client, "GET", site.path(route))
                if is_html(answer) and (found := Markup(answer.text_sent).wrong("ja")):
                    wrong.append((route.name, who, found))
    assert wrong == []


def test_what_is_personal_is_kept_nowhere_on_the_way(walk: list[Asked]) -> None:
    assert [(one, one.answer.headers.get("Cache-Control")) for one in walk if not is_kept_private(one)] == []


def is_kept_private(one: Asked) -> bool:
    """No cache keeps what only some may see, nor anything that came with a cookie."""
    answer = one.answer
    said = {word.strip() for word in answer.headers.get("Cache-Control", "").split(",")}
    if one.address.may in (ANYBODY, *API) or answer.status_code in (404, 405):
        is_shared = one.method == "GET" and "Cookie" not in answer.headers.get("Vary", "")
        return not ((is_shared or "public" in said) and answer.cookies_sent)
    return {"no-store", "private"} <= said


def test_no_page_can_be_framed_runs_foreign_scripts_or_sets_unknown_cookies(walk: list[Asked]) -> None:
    assert [(one, dict(one.answer.headers)) for one in walk if not is_closed(one.answer)] == []


def is_closed(answer: Any) -> bool:
    """Whether browsers are told to keep to this server's own files, and cookies stay with this site."""
    policy = answer.headers.get("Content-Security-Policy", "")
    ours = all(part in policy for part in ("default-src 'self'", "frame-ancestors 'none'", "form-action 'self'"))
    scripts = re.search(r"(script-src|default-src)[^;]*unsafe", policy)
    sent = answer.cookies_sent
    cookies = set(sent) <= COOKIES and all(m["samesite"] in ("Lax", "Strict") for m in sent.values() if m.value)
    return ours and not scripts and cookies and answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_residents_pages_take_no_more_queries_with_hundreds_of_everything(site: Site) -> None:
    client = people(site)[RESIDENT_A]
    ours = (RESIDENT, SIGNED_IN)
    own = {name for name, address in ADDRESSES.items() if address.may in ours and address.gives == "page"}
    pages = {route.name: site.path(route) for route in ROUTES if route.name in own}
    few = {name: queries_of(client, path) for name, path in pages.items()}
    heap(site)
    many = {name: queries_of(client, path) for name, path in pages.items()}
    found = client.get(f"/purchases?first={YEAR}-01-01").content.decode()
    assert int(found.partition("Page 1 of ")[2].partition("<")[0]) > MANY // FOUND_A_PAGE
    assert many == few
    assert {name: number for name, number in few.items() if number > ADDRESSES[name].queries} == {}


# --- grouped by prefix ---


def test_the_administration_is_for_superusers_only(site: Site) -> None:
    for who, client in people(site).items():
        for path in ("/admin/", "/admin/merchants/merchant/"):
            answer = asked(client, "GET", path)
            assert answer.status_code == 200 if who == SUPERUSER else asks_to_sign_in(answer), who


def test_after_the_sign_in_each_lands_on_a_page_of_their_own(site: Site) -> None:
    landings = {who: client.get("/").headers["Location"] for who, client in people(site).items() if SHUT not in who}
    assert landings == {
        RESIDENT_A: f"/year/{timezone.localdate().year}",
        RESIDENT_B: f"/year/{YEAR}",
        STRANGER: f"{resolve_url('login')}?next=/",
        TILL: f"{resolve_url('login')}?next=/",
        SUPERUSER: "/office/",
        Role.AUDITOR: "/console/",
        Role.CLERK: "/office/",
        Role.PROTECTED_OFFICER: "/office/",
        Role.HELPDESK: "/office/",
        Role.OPERATOR: "/office/",
    }

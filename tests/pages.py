"""Who opens pages in tests, what was bought, and what a page says."""

import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from playwright.sync_api import Page, expect

from apps.accruals.models import Entry, Total
from apps.portal.models import Account
from apps.refunds.models import Run
from apps.refunds.operations.approving import approve_run

YEAR = 2017
PASSWORD = "a-long-enough-password"
ACTOR = "test"


def buy(ref: uuid.UUID, terminal: int, *purchases: dict[str, int], month: int = 3, run: int = 1) -> None:
    """Count purchases, a minute apart, as workers would: an entry each, and the totals."""
    start = datetime(YEAR, month, 1, 3, 0, tzinfo=UTC)
    seq = Entry.objects.filter(terminal_id=terminal).count()
    totals: dict[str, list[int]] = {}
    entries = []
    for number, amounts in enumerate(purchases, start=seq + 1):
        entries.append(
            Entry(
                resident_ref=ref, tax_year=YEAR, terminal_id=terminal, seq=number, run=run, part=run, month=month,
                at=start + timedelta(minutes=number), card=1, counter=number,
                tiers=list(amounts), amounts_minor=list(amounts.values()),
            )
        )  # fmt: skip
        for tier, amount in amounts.items():
            totals.setdefault(tier, []).append(amount)
    Entry.objects.bulk_create(entries)
    for tier, bought in totals.items():
        nothing = {"amounts_minor": [0] * 12, "purchases": [0] * 12}
        total, _ = Total.objects.get_or_create(resident_ref=ref, tax_year=YEAR, run=run, tier=tier, defaults=nothing)
        total.amounts_minor[month - 1] += sum(bought)
        total.purchases[month - 1] += len(bought)
        total.save()


def resident(name: str) -> uuid.UUID:
    """A resident who can sign in."""
    user = User.objects.create_user(name, password=PASSWORD)
    return Account.objects.create(user=user, resident_ref=uuid.uuid4()).resident_ref


def auditor(name: str = "auditor") -> str:
    """Someone in the auditors' group."""
    user = User.objects.create_user(name, password=PASSWORD)
    user.groups.add(Group.objects.get_or_create(name="auditor")[0])
    return name


def state_purpose(client: Client, ref: uuid.UUID, *, purpose: str = "check", case: str = "") -> None:
    """The auditor who is signed in says for what they look at a resident; it holds for a quarter of an hour."""
    assert client.post(f"/console/purpose/{ref}", {"purpose": purpose, "case": case}).status_code == 302


def settle(*steps: Callable[..., object]) -> None:
    """Take the year's run through these steps."""
    for step in steps:
        step(YEAR, actor=ACTOR)


def approve() -> Run:
    """Two auditors sign the year's newest run."""
    for name in ("ann", "ben"):
        if not User.objects.filter(username=name).exists():
            auditor(name)
        run = approve_run(YEAR, by=name, actor=ACTOR)
    return run


def as_user(client: Client, name: str) -> Client:
    """The browser once this user has signed in."""
    client.force_login(User.objects.get(username=name))
    return client


def sent(client: Client, path: str, **form: Any) -> str:
    """The text of the page that a form leads to."""
    response = client.post(path, form, follow=True)
    assert response.status_code == 200, path
    return text_of(response).replace("&#x27;", "'")


def text_of(response: Any) -> str:
    """What a page says, without its marks."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def shown(client: Client, path: str, *, as_user: str = "", language: str = "en", status: int = 200) -> str:
    """The page's text as the user gets it."""
    if as_user:
        client.force_login(User.objects.get(username=as_user))
    response = client.get(path, headers={"accept-language": language})
    assert response.status_code == status, path
    return text_of(response)


def queries_of(client: Client, path: str) -> int:
    """How many queries the page takes, once the process knows the schemes."""
    client.get(path)
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(path).status_code == 200
    return len(captured)


def assert_fits_in_both_languages(page: Page) -> None:
    """No page scrolls sideways, on a phone or on a desk."""
    for switch, language in (("English", "en"), ("日本語", "ja")):
        page.get_by_role("button", name=switch).click()
        expect(page.locator("html")).to_have_attribute("lang", language)
        for width in (360, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth"), (language, width)

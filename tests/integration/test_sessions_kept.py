"""Whom a session's cookie signs in: sessions and users are read by statements of our own."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from apps.audit.strength import LIMITS
from tests.pages import YEAR, auditor, queries_of, resident

pytestmark = pytest.mark.django_db
PAGE = f"/year/{YEAR}"


@pytest.fixture
def hanako(client: Client, terminal: int) -> User:
    """Who is signed in and sees the year."""
    resident("hanako")
    user = User.objects.get(username="hanako")
    client.force_login(user)
    assert client.get(PAGE).status_code == 200
    return user


def test_a_session_that_is_over_signs_nobody_in(client: Client, hanako: User) -> None:
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    assert client.get(PAGE).status_code == 302


def rest(*, for_s: float) -> None:
    """Nothing is asked for so long."""
    session = Session.objects.get()
    Session.objects.update(expire_date=session.expire_date - timedelta(seconds=for_s))


def rests_s() -> float:
    """How long from now on the session may rest."""
    return (Session.objects.get().expire_date - timezone.now()).total_seconds()


def test_after_an_hour_without_a_page_a_resident_signs_in_again_and_is_told_why(client: Client, hanako: User) -> None:
    rest(for_s=3590)
    assert client.get(PAGE).status_code == 200
    rest(for_s=3601)
    answer: Any = client.get(PAGE, follow=True, headers={"accept-language": "en"})
    assert answer.redirect_chain == [(f"/login?next={PAGE}", 302)]
    assert "You were signed out, as nothing was opened for a while." in answer.content.decode()
    assert "You were signed out" not in client.get("/login", headers={"accept-language": "en"}).content.decode()


def test_the_page_of_the_sign_in_itself_says_why_as_well(client: Client, hanako: User) -> None:
    rest(for_s=3601)
    assert "しばらく" in client.get("/login").content.decode()


def test_an_officers_session_rests_half_as_long(client: Client, terminal: int) -> None:
    client.force_login(User.objects.get(username=auditor()))
    assert 1700 < rests_s() <= 1800


def test_each_page_lets_a_session_go_on_but_writes_no_more_than_once_a_minute(client: Client, hanako: User) -> None:
    few = queries_of(client, PAGE)
    rest(for_s=50)
    assert rests_s() < 3555
    assert queries_of(client, PAGE) == few
    rest(for_s=50)
    client.get(PAGE)
    assert rests_s() > 3590


def test_nothing_lets_a_session_go_on_for_more_than_half_a_day(client: Client, hanako: User) -> None:
    session = client.session
    assert session[LIMITS][0] - timezone.now().timestamp() == pytest.approx(12 * 3600, abs=60)
    ends = timezone.now() + timedelta(minutes=10)
    session[LIMITS] = [ends.timestamp(), 3600]
    session.save()
    assert client.get(PAGE).status_code == 200
    assert Session.objects.get().expire_date == datetime.fromtimestamp(ends.timestamp(), UTC)


def test_who_was_put_off_is_signed_in_no_more(client: Client, hanako: User) -> None:
    User.objects.update(is_active=False)
    assert client.get(PAGE).status_code == 302


@pytest.mark.parametrize("cookie", ["", "x", "x" * 32, "x" * 5_000, "\u00e9" * 32])
def test_a_cookie_of_no_session_signs_nobody_in(client: Client, hanako: User, cookie: str) -> None:
    client.cookies["sessionid"] = cookie
    assert client.get(PAGE).status_code == 302

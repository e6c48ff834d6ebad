"""Whom a session's cookie signs in: sessions and users are read by statements of our own."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from tests.pages import YEAR, resident

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


def test_who_was_put_off_is_signed_in_no_more(client: Client, hanako: User) -> None:
    User.objects.update(is_active=False)
    assert client.get(PAGE).status_code == 302


@pytest.mark.parametrize("cookie", ["", "x", "x" * 32, "x" * 5_000, "\u00e9" * 32])
def test_a_cookie_of_no_session_signs_nobody_in(client: Client, hanako: User, cookie: str) -> None:
    client.cookies["sessionid"] = cookie
    assert client.get(PAGE).status_code == 302

"""Guesses of passwords and codes: counted in every process, locked, and said."""

from datetime import timedelta

import httpx
import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from apps.audit.models import Event
from tests.at_once import at_once
from tests.integration.test_counting import empty_redis
from tests.pages import PASSWORD, auditor
from tests.signing_in import EN, SECRET, code_of, events, give_code, sign_in, with_program
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def hanako(world: World) -> User:
    """A resident with a password and a program."""
    return with_program("hanako", world.residents[0])


def test_five_wrong_passwords_lock_a_name_and_say_what_to_do(client: Client, hanako: User) -> None:
    for _ in range(4):
        assert "correct" in sign_in(client, "hanako", "wrong")
    assert "no password is taken from here for 15 minutes" in sign_in(client, "hanako", "wrong")
    assert client.post("/login", {"username": "hanako", "password": PASSWORD}).status_code == 429
    assert "no password is taken" not in sign_in(Client(), "taro")  # others are not locked
    assert len(events("sign_in.failed")) == 5
    (event,) = events("sign_in.locked_out")
    assert event.subject.startswith("resident:")
    assert "wrong" not in str(list(AccessAttempt.objects.values()))


def test_the_lock_ends_after_a_quarter_of_an_hour_and_tries_do_not_prolong_it(client: Client, hanako: User) -> None:
    for _ in range(5):
        sign_in(client, "hanako", "wrong")
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=14))
    assert "15 minutes" in sign_in(client, "hanako")
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=15, seconds=1))
    assert sign_in(client, "hanako") == "/login/code"


def test_the_lock_holds_in_another_process_and_without_redis(client: Client, hanako: User, web: str) -> None:
    for _ in range(5):
        sign_in(client, "hanako", "wrong")
    empty_redis()
    assert "15 minutes" in sign_in(client, "hanako")
    with httpx.Client(base_url=web, headers={"accept-language": "en"}) as other:
        other.get("/login")
        given = {"username": "hanako", "password": PASSWORD, "csrfmiddlewaretoken": other.cookies["csrftoken"]}
        answer = other.post("/login", data=given)
    assert answer.status_code == 429
    assert "no password is taken from here" in answer.text


def test_wrong_codes_count_in_another_process_as_well(client: Client, hanako: User, web: str) -> None:
    sign_in(client, "hanako")
    for _ in range(5):
        give_code(client, "000000")
    with httpx.Client(base_url=web, headers={"accept-language": "en"}) as other:
        other.get("/login")
        given = {"username": "hanako", "password": PASSWORD, "csrfmiddlewaretoken": other.cookies["csrftoken"]}
        assert other.post("/login", data=given).headers["Location"] == "/login/code"
        given = {"code": code_of(SECRET), "csrfmiddlewaretoken": other.cookies["csrftoken"]}
        answer = other.post("/login/code", data=given)
    assert "Too many wrong codes" in answer.text


def test_names_that_are_nobodys_are_in_no_event(client: Client, hanako: User) -> None:
    for _ in range(5):
        sign_in(client, "983205673214", "wrong")
    assert not Event.objects.filter(action__startswith="sign_in").exists()
    assert "983205673214" not in str(list(AccessAttempt.objects.values()))


def test_codes_are_guessed_five_times_at_most_even_by_many_at_once(client: Client, hanako: User) -> None:
    clients = [Client() for _ in range(8)]
    for one in clients:
        sign_in(one, "hanako")
    said = at_once(lambda one: give_code(one, "000000"), clients)
    assert sum("That was not right" in page for page in said) <= 5
    assert "Too many wrong codes" in give_code(clients[0], code_of(SECRET))
    empty_redis()
    assert "Too many wrong codes" in give_code(clients[1], code_of(SECRET))
    assert all(event.detail == {"with": "totp"} for event in events("sign_in.failed"))


def test_the_password_of_who_is_asked_again_is_not_guessed_either(client: Client, world: World) -> None:
    auditor("ann")
    client.force_login(User.objects.get(username="ann"))
    pages = [client.post("/sign-in/again/password", {"password": "wrong"}, headers=EN) for _ in range(6)]
    assert "This is not your password." in pages[0].content.decode()
    assert [page.status_code for page in pages[4:]] == [429, 429]

"""The page on which a sign-in is looked after: sessions, factors, and what can be removed."""

import re

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from apps.portal.operations.sign_in import remove_factor
from apps.residents.operations.erasing import erase_resident
from tests.at_once import at_once
from tests.identities import enter
from tests.pages import queries_of, resident, shown
from tests.signing_in import EN, SECRET, code_of, events, give_code, sign_in, with_program
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def hanako(world: World) -> User:
    """A resident with a password and a program."""
    return with_program("hanako", world.residents[0])


# --- sessions ---


def test_sessions_are_listed_in_words_and_ended(client: Client, hanako: User) -> None:
    phone = Client(headers={"user-agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Safari/604.1"})
    for number, one in enumerate((client, phone)):
        sign_in(one, "hanako")
        give_code(one, code_of(SECRET, steps=number))
    page = shown(client, "/sign-in")
    assert "Safari on iPhone" in page
    assert "from the network address 127.0.0.1" in page
    session = UserSession.objects.get(user_agent__contains="iPhone")
    assert client.post(f"/sign-in/sessions/{session.pk}/end")["Location"] == "/sign-in"
    assert phone.get("/cards")["Location"] == "/login?next=/cards"
    assert "iPhone" not in shown(client, "/sign-in")
    assert events("sign_in.session_ended")[0].detail == {"sessions": 1}


def test_all_others_are_ended_at_once_and_by_another_password(client: Client, hanako: User) -> None:
    others = [Client(), Client()]
    for number, one in enumerate((client, *others)):
        sign_in(one, "hanako")
        give_code(one, code_of(SECRET, steps=number - 1))
    client.post("/sign-in/sessions/end-others")
    assert [one.get("/cards").status_code for one in (client, *others)] == [200, 302, 302]
    elsewhere = Client()
    elsewhere.force_login(hanako)
    new = {"new_password1": "another-long-password", "new_password2": "another-long-password"}
    assert client.post("/sign-in/password", new)["Location"] == "/sign-in"
    assert [one.get("/cards").status_code for one in (client, elsewhere)] == [200, 302]
    assert "(this one)" in shown(client, "/sign-in")
    assert UserSession.objects.count() == 1
    assert sign_in(Client(), "hanako", "another-long-password") == "/login/code"


def test_anothers_session_and_factors_are_not_there(client: Client, hanako: User) -> None:
    resident("taro")
    phone = Client()
    sign_in(phone, "hanako")
    give_code(phone, code_of(SECRET))
    client.force_login(User.objects.get(username="taro"))
    factor, session = Authenticator.objects.get().pk, UserSession.objects.get().pk
    assert client.post(f"/sign-in/sessions/{session}/end").status_code == 404
    for path in (f"/sign-in/factors/{factor}/remove", f"/sign-in/factors/{factor}/name"):
        assert client.get(path).status_code == client.post(path, {"name": "x"}).status_code == 404
    assert phone.get("/cards").status_code == 200


# --- factors ---


def passkey(user: User, name: str = "Phone") -> Authenticator:
    """A passkey as far as lists and removing go."""
    return Authenticator.objects.create(user=user, type="webauthn", data={"name": name, "credential": {}})


def test_the_last_factor_stays(client: Client, hanako: User) -> None:
    phone = passkey(hanako)
    client.force_login(hanako)
    assert "Remove the program" in shown(client, "/sign-in")
    assert client.post(f"/sign-in/factors/{phone.pk}/remove")["Location"] == "/sign-in"
    program = Authenticator.objects.get()
    assert "Remove the program" not in shown(client, "/sign-in")
    client.post(f"/sign-in/factors/{program.pk}/remove", headers=EN)
    assert "This is your last factor" in shown(client, "/sign-in")
    assert Authenticator.objects.get() == program
    assert events("sign_in.factor_removed")[0].detail == {"factor": "webauthn"}


def test_who_is_erased_does_not_sign_in_any_more(client: Client, hanako: User, world: World) -> None:
    enter(world.residents[0])
    client.force_login(hanako)
    erase_resident(world.residents[0], reason="test", at=timezone.now(), actor="test")
    assert client.get("/cards").status_code == 302
    assert not User.objects.filter(username="hanako").exists()
    assert not Authenticator.objects.exists()


def test_two_removals_at_once_leave_one(hanako: User) -> None:
    both = [passkey(hanako).pk, Authenticator.objects.get(type="totp").pk]

    def remove(factor: int) -> str:
        remove_factor(hanako, factor, at=timezone.now())
        return "removed"

    assert sorted(at_once(remove, both)) == ["last_factor", "removed"]
    assert Authenticator.objects.count() == 1


def test_a_passkey_is_renamed(client: Client, hanako: User) -> None:
    phone = passkey(hanako)
    client.force_login(hanako)
    client.post(f"/sign-in/factors/{phone.pk}/name", {"name": "Old phone"})
    assert "Old phone" in shown(client, "/sign-in")


def test_new_recovery_codes_are_shown_once(client: Client, hanako: User) -> None:
    client.force_login(hanako)
    assert client.post("/sign-in/recovery-codes/new")["Location"] == "/sign-in/recovery-codes"
    assert len(re.findall(r"\d{4} \d{4} \d{4}", shown(client, "/sign-in/recovery-codes"))) == 10
    assert "not shown again" in shown(client, "/sign-in/recovery-codes")
    assert "10 are left" in shown(client, "/sign-in")


def test_the_overview_takes_as_many_queries_with_many_factors(client: Client, hanako: User) -> None:
    client.force_login(hanako)
    with_one = queries_of(client, "/sign-in")
    for number in range(5):
        passkey(hanako, f"Key {number}")
        UserSession.objects.create(user=hanako, ip="127.0.0.1", session_key=f"{number}" * 32, user_agent="")
    assert queries_of(client, "/sign-in") == with_one

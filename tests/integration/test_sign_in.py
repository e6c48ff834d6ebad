"""Signing in: the second factor, guesses and locks, sessions, what can be removed, and which addresses there are."""

import re
import threading
import uuid
from datetime import timedelta
from typing import Any

import httpx
import pytest
import redis
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from allauth.usersessions.models import UserSession
from axes.models import AccessAttempt
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import get_resolver
from django.utils import timezone

from apps.audit.models import Event
from apps.portal.guard import fresh_sign_in
from apps.portal.models import Account, Counter
from apps.portal.operations.sign_in import LastFactor, remove_factor
from apps.portal.strength import FACTOR, OWNER, RECORDS
from apps.portal.viewer import Viewer
from apps.residents.operations.erasing import erase_resident
from tests.identities import enter
from tests.pages import PASSWORD, auditor, queries_of, resident, shown
from tests.signing_in import EN, SECRET, code_of, set_up_program, sign_in
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def hanako(world: World, rf: RequestFactory) -> User:
    """A resident with a password and a program."""
    user = User.objects.create_user("hanako", password=PASSWORD)
    Account.objects.create(user=user, resident_ref=world.residents[0])
    TOTP.activate(user, SECRET)
    return user


def give_code(client: Client, code: str) -> str:
    answer = client.post("/login/code", {"code": code}, headers=EN)
    return str(answer["Location"]) if answer.status_code == 302 else answer.content.decode()


def aged(client: Client, **ago: int) -> None:
    """The factor was given so long ago."""
    session = client.session
    session[RECORDS] = [record | {"at": record["at"] - timedelta(**ago).total_seconds()} for record in session[RECORDS]]
    session.save()


def events(action: str) -> list[Event]:
    return list(Event.objects.filter(action=action))


# --- two factors ---


def test_a_password_alone_opens_nothing(client: Client, hanako: User) -> None:
    assert sign_in(client, "hanako", following="/cards") == "/login/code"
    assert client.get("/cards")["Location"] == "/login?next=/cards"
    assert give_code(client, code_of(SECRET)) == "/cards"
    assert client.get("/cards").status_code == 200
    (event,) = events("sign_in")
    assert event.subject.startswith("resident:")
    assert event.detail == {"with": ["password", "totp"]}


def test_a_code_is_good_once_however_it_is_typed(client: Client, hanako: User) -> None:
    code = code_of(SECRET)
    sign_in(client, "hanako")
    assert (
        give_code(client, f"{code[:3]} {code[3:]}".translate(str.maketrans("0123456789", "０１２３４５６７８９")))
        == "/"
    )
    other = Client()
    sign_in(other, "hanako")
    Counter.objects.filter(cache_key__contains="totp.used").delete()  # the library forgets it after half a minute
    assert "used already" in give_code(other, code)


def test_who_has_no_second_factor_is_led_to_set_one_up(client: Client, world: World) -> None:
    ref = resident("taro")
    assert sign_in(client, "taro") == "/"
    for path in ("/cards", "/accesses", "/registration"):
        assert client.get(path)["Location"] == f"/sign-in/second-factor?next={path.replace('/', '%2F')}"
    assert "No phone? You need none." in shown(client, "/sign-in/second-factor")
    assert set_up_program(client, "/sign-in/program") == "/sign-in/recovery-codes"
    assert client.get("/cards").status_code == 200
    assert events("sign_in.factor_added")[0].subject == f"resident:{ref}"
    assert client.get("/sign-in/second-factor")["Location"] == "/"


def test_the_demo_and_officers_need_no_second_factor(client: Client, world: World, settings: Any) -> None:
    auditor("ann")
    assert sign_in(client, "ann") == "/"
    assert client.get("/console/").status_code == 200
    client.post("/logout")
    resident("taro")
    settings.DEMO = True
    sign_in(client, "taro")
    assert client.get("/cards").status_code == 200
    assert client.get("/sign-in/password").status_code == 200


def test_the_guard_asks_the_database_nothing_more(client: Client, hanako: User) -> None:
    client.force_login(hanako)
    with_factor = queries_of(client, "/choices")
    django_settings.DEMO = True
    try:
        assert queries_of(client, "/choices") == with_factor
    finally:
        django_settings.DEMO = False


def test_another_users_records_count_for_nothing(client: Client, hanako: User) -> None:
    client.force_login(hanako)
    session = client.session
    session[OWNER] = str(hanako.pk + 1)
    session.save()
    assert client.get("/cards")["Location"].startswith("/sign-in/second-factor")


def test_secrets_are_not_in_the_database_in_clear(hanako: User) -> None:
    assert SECRET not in str(Authenticator.objects.get().data)


# --- asking again ---


def test_what_is_for_its_owner_alone_asks_for_the_factor_again_after_five_minutes(client: Client, hanako: User) -> None:
    client.force_login(hanako)
    assert client.get("/sign-in/password").status_code == 200
    aged(client, minutes=6)
    assert client.get("/sign-in/password")["Location"] == "/sign-in/again?next=%2Fsign-in%2Fpassword"
    asked = client.get("/sign-in/again?next=/sign-in/password")["Location"]
    assert asked == "/sign-in/again/code?next=%2Fsign-in%2Fpassword"
    assert "Is it still you?" in shown(client, asked)
    answer = client.post(asked, {"code": code_of(SECRET), "next": "/sign-in/password"})
    assert answer["Location"] == "/sign-in/password"
    assert client.get("/sign-in/password").status_code == 200


@pytest.mark.parametrize(
    ("button", "page"), [("/my-data/download", "/my-data"), ("/sign-in/identity/disconnect", "/sign-in")]
)
def test_who_is_asked_again_at_a_button_comes_back_to_its_page(
    client: Client, hanako: User, button: str, page: str
) -> None:
    client.force_login(hanako)
    aged(client, minutes=21)
    asked = client.get(client.post(button)["Location"])["Location"]
    answer = client.post(asked, {"code": code_of(SECRET)})
    assert answer["Location"] == page
    assert client.get(page).status_code == 200


def test_the_password_does_not_stand_in_for_the_factor(client: Client, hanako: User) -> None:
    client.force_login(hanako)
    assert client.get("/sign-in/again/password")["Location"] == "/sign-in/again/code"
    aged(client, minutes=6)
    client.post("/sign-in/again/password", {"password": PASSWORD})
    assert client.get("/sign-in/password").status_code == 302


def test_it_does_not_lead_away(client: Client, hanako: User) -> None:
    client.force_login(hanako)
    assert client.get("/sign-in/again?next=https://example.com/")["Location"] == "/sign-in/again/code?next=%2F"
    client.post("/logout")
    sign_in(client, "hanako", following="https://example.com/")
    assert give_code(client, code_of(SECRET)) == "/"


def test_a_form_opened_in_time_may_be_filled_in_slowly(rf: RequestFactory, hanako: User) -> None:
    @fresh_sign_in
    def page(request: HttpRequest, viewer: Viewer) -> HttpResponse:
        return HttpResponse("shown")

    def status(method: str, minutes: int) -> int:
        request = rf.generic(method, "/account")
        request.user = hanako
        at = (timezone.now() - timedelta(minutes=minutes)).timestamp()
        request.session = {RECORDS: [{"method": FACTOR, "at": at}], OWNER: str(hanako.pk)}  # type: ignore[assignment]
        return page(request, Viewer(uuid.uuid4())).status_code

    assert [status("GET", 4), status("GET", 6), status("POST", 19), status("POST", 21)] == [200, 302, 200, 302]


# --- guesses ---


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
    redis.Redis.from_url(django_settings.CELERY_BROKER_URL).flushall()
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
    said: list[str] = []

    def guess(one: Client) -> None:
        try:
            said.append(give_code(one, "000000"))
        finally:
            connection.close()

    threads = [threading.Thread(target=guess, args=(one,)) for one in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum("That was not right" in page for page in said) <= 5
    assert "Too many wrong codes" in give_code(clients[0], code_of(SECRET))
    redis.Redis.from_url(django_settings.CELERY_BROKER_URL).flushall()
    assert "Too many wrong codes" in give_code(clients[1], code_of(SECRET))
    assert all(event.detail == {"with": "totp"} for event in events("sign_in.failed"))


def test_the_password_of_who_is_asked_again_is_not_guessed_either(client: Client, world: World) -> None:
    auditor("ann")
    client.force_login(User.objects.get(username="ann"))
    pages = [client.post("/sign-in/again/password", {"password": "wrong"}, headers=EN) for _ in range(6)]
    assert "This is not your password." in pages[0].content.decode()
    assert [page.status_code for page in pages[4:]] == [429, 429]


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
    outcomes: list[str] = []

    def remove(factor: int) -> None:
        try:
            remove_factor(hanako, factor, at=timezone.now())
            outcomes.append("removed")
        except LastFactor as error:
            outcomes.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=remove, args=(factor,)) for factor in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["last_factor", "removed"]
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


# --- addresses ---


def test_of_the_libraries_only_these_addresses_are_there(client: Client, db: None) -> None:
    names = {str(name) for name in get_resolver().reverse_dict if isinstance(name, str)}
    theirs = {name for name in names if re.match("account_|mfa_|socialaccount_|openid_connect_|usersessions_", name)}
    assert theirs == {
        "account_login", "account_reauthenticate", "mfa_add_webauthn", "mfa_activate_totp", "mfa_authenticate",
        "mfa_generate_recovery_codes", "mfa_index", "mfa_login_webauthn", "mfa_reauthenticate",
        "mfa_reauthenticate_webauthn", "mfa_view_recovery_codes", "openid_connect_callback", "openid_connect_login",
    }  # fmt: skip
    for path in ("/accounts/", "/signup", "/accounts/signup/", "/password/reset/", "/email/", "/sign-in/email"):
        assert client.get(path).status_code == 404, path


def test_signing_out_takes_a_post(client: Client, hanako: User) -> None:
    client.force_login(hanako)
    assert client.get("/logout").status_code == 405
    assert client.post("/logout")["Location"] == "/login"
    assert client.get("/cards").status_code == 302


def test_forms_are_refused_without_their_token(hanako: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(hanako)
    for path in (
        "/sign-in/sessions/end-others",
        "/sign-in/password",
        "/sign-in/again/code",
        "/sign-in/recovery-codes/new",
    ):
        assert strict.post(path).status_code == 403, path

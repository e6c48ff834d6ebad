"""Signing in: the second factor, being asked for it again, and which addresses there are."""

import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import get_resolver
from django.utils import timezone

from apps.audit.strength import FACTOR, OWNER, RECORDS
from apps.portal.guard import fresh_sign_in
from apps.portal.models import Counter
from apps.portal.viewer import Viewer
from tests.pages import PASSWORD, queries_of, resident, shown
from tests.signing_in import SECRET, age_factor, code_of, events, give_code, set_up_program, sign_in, with_program
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def hanako(world: World) -> User:
    """A resident with a password and a program."""
    return with_program("hanako", world.residents[0])


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


def test_the_demos_residents_need_no_second_factor(client: Client, world: World, settings: Any) -> None:
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
    age_factor(client, minutes=6)
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
    age_factor(client, minutes=21)
    asked = client.get(client.post(button)["Location"])["Location"]
    answer = client.post(asked, {"code": code_of(SECRET)})
    assert answer["Location"] == page
    assert client.get(page).status_code == 200


def test_the_password_does_not_stand_in_for_the_factor(client: Client, hanako: User) -> None:
    client.force_login(hanako)
    assert client.get("/sign-in/again/password")["Location"] == "/sign-in/again/code"
    age_factor(client, minutes=6)
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


def test_signing_out_takes_a_post_and_the_browser_forgets_the_pages(client: Client, hanako: User) -> None:
    client.force_login(hanako)
    assert client.get("/logout").status_code == 405
    client.cookies["django_language"] = "en"
    answer = client.post("/logout")
    assert (answer["Location"], answer["Clear-Site-Data"]) == ("/login", '"cache", "storage"')
    assert (client.cookies["sessionid"].value, client.cookies["django_language"].value) == ("", "en")
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

"""Signing in with the government's identity provider: a real one, simulated, as a process of its own."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import jwt
import pytest
from allauth.mfa.totp.internal.auth import TOTP
from allauth.socialaccount.models import SocialAccount
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client, RequestFactory

from apps.audit.models import Event
from apps.portal.identity import NONCE, PROVIDER, GovernmentAdapter
from apps.portal.models import Account
from apps.simulator.identity_provider import CONFIGURATION, KEY_ID, STRONG
from apps.simulator.processes import Processes, free_port, identity_command
from tests.pages import PASSWORD, auditor, resident, shown
from tests.signing_in import EN, SECRET
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass(slots=True)
class Identities:
    """The provider's address, and what Kanpu is told of it."""

    processes: Processes
    settings: Any

    def start(self, *, asked_s: int = 0) -> str:
        port = free_port()
        command = [*identity_command(port), "--asked", str(asked_s)]
        self.processes.start("identity", command, with_keys=False)
        issuer = f"http://127.0.0.1:{port}"
        self.processes.wait_for(issuer + CONFIGURATION)
        self.settings.KANPU_OIDC_ISSUER = issuer
        app = {
            "provider_id": "government", "name": "government", "client_id": "kanpu", "secret": "shared",
            "settings": {"server_url": issuer, "scope": ["openid"], "auth_params": {"prompt": "login"}},
        }  # fmt: skip
        self.settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [app]}}
        return issuer


@pytest.fixture
def identities(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Identities]:
    monkeypatch.setenv("KANPU_OIDC_CLIENT_ID", "kanpu")
    monkeypatch.setenv("KANPU_OIDC_CLIENT_SECRET", "shared")
    running = Processes(Path(django_settings.BASE_DIR), tmp_path / "logs")
    settings.KANPU_OIDC_ACR = STRONG
    yield Identities(running, settings)
    running.stop()


@pytest.fixture
def client() -> Client:
    """A browser on this machine: the provider sends nobody anywhere else."""
    return browser()


def browser() -> Client:
    return Client(headers=EN, SERVER_NAME="localhost")


@pytest.fixture
def provider(identities: Identities) -> str:
    return identities.start()


@pytest.fixture
def hanako(world: World) -> User:
    user = User.objects.create_user("hanako", password=PASSWORD)
    Account.objects.create(user=user, resident_ref=world.residents[0])
    TOTP.activate(user, SECRET)
    return user


def go(client: Client, person: str, *, process: str = "login") -> Any:
    """To the provider as this person, and what Kanpu answers when they come back."""
    there = client.post("/login/identity", {"process": process})
    assert there.status_code == 302, there.content
    page = httpx.get(there["Location"])
    assert page.status_code == 200, page.text
    asked = {name: unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)">', page.text)}
    back = httpx.post(there["Location"], data=asked | {"person": person})
    return client.get(back.headers["Location"].removeprefix("http://localhost"))


def connect(client: Client, user: User, person: str) -> None:
    client.force_login(user)
    assert go(client, person, process="connect")["Location"] == "/sign-in"
    client.post("/logout")


def test_who_connected_an_identity_signs_in_with_it(client: Client, hanako: User, provider: str) -> None:
    connect(client, hanako, "hanako")
    answer = go(client, "hanako")
    assert answer["Location"] == "/"
    assert client.get("/cards").status_code == 200
    assert Event.objects.get(action="sign_in").detail == {"with": ["socialaccount", "identity"]}
    assert Event.objects.filter(action="sign_in.identity_added").count() == 1
    page = shown(client, "/sign-in")
    assert f"How it last asked you, in its own words: {STRONG}" in page


def test_an_unknown_identity_is_told_to_activate_with_a_letter(client: Client, hanako: User, provider: str) -> None:
    answer = go(client, "taro")
    assert "First open your account with the code of your letter" in answer.content.decode()
    assert client.get("/cards").status_code == 302
    assert User.objects.count() == 1
    assert not SocialAccount.objects.exists()


def test_without_two_factors_there_kanpu_asks_for_its_own(
    client: Client, hanako: User, provider: str, settings: Any
) -> None:
    connect(client, hanako, "jiro")
    assert go(client, "jiro")["Location"] == "/login/code"
    assert client.get("/cards").status_code == 302
    settings.KANPU_OIDC_ACR = ""  # the operator has not said what is strong: then nothing is
    SocialAccount.objects.all().delete()
    connect(client, hanako, "hanako")
    assert go(browser(), "hanako")["Location"] == "/login/code"


def test_of_an_identity_no_name_is_kept(client: Client, hanako: User, provider: str) -> None:
    connect(client, hanako, "hanako")
    account = SocialAccount.objects.get()
    assert set(account.extra_data["id_token"]) == {"sub", "acr", "auth_time"}
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM socialaccount_socialaccount")
        assert "hanako" not in str(cursor.fetchall())


def test_only_a_resident_who_just_signed_in_connects_and_no_one_elses(
    client: Client, hanako: User, provider: str
) -> None:
    connect(client, hanako, "hanako")
    resident("taro")
    other = browser()
    other.force_login(User.objects.get(username="taro"))
    go(other, "hanako", process="connect")
    assert "connected with another account" in shown(other, "/sign-in")
    officer = browser()
    officer.force_login(User.objects.get(username=auditor()))
    go(officer, "taro", process="connect")
    go(browser(), "taro", process="connect")
    assert SocialAccount.objects.get().user == hanako


def test_a_disconnected_identity_does_not_sign_in(client: Client, hanako: User, provider: str) -> None:
    connect(client, hanako, "hanako")
    client.force_login(hanako)
    assert client.post("/sign-in/identity/disconnect")["Location"] == "/sign-in"
    client.post("/logout")
    assert "This identity is not connected" in go(client, "hanako").content.decode()


def test_who_was_not_asked_just_now_does_not_get_in(client: Client, hanako: User, identities: Identities) -> None:
    identities.start()
    connect(client, hanako, "hanako")
    subject = SocialAccount.objects.get().uid
    identities.processes.stop()
    identities.start(asked_s=3600)
    assert go(client, "hanako")["Location"] == "/login"
    assert client.get("/cards").status_code == 302
    assert SocialAccount.objects.get().uid == subject


def test_a_code_is_bound_to_the_browser_that_asked_for_it(client: Client, hanako: User, provider: str) -> None:
    connect(client, hanako, "hanako")
    there = client.post("/login/identity")["Location"]
    asked = dict(parse_qsl(urlsplit(there).query))
    assert asked["code_challenge_method"] == "S256"
    assert (asked["prompt"], asked["scope"]) == ("login", "openid")
    back = httpx.post(there, data=asked | {"person": "hanako"}).headers["Location"]
    stolen = browser().get(back.removeprefix("http://localhost"))
    assert stolen["Location"] == "/login"
    code = dict(parse_qsl(urlsplit(back).query))["code"]
    without_verifier = {
        "code": code, "client_id": "kanpu", "client_secret": "shared", "redirect_uri": asked["redirect_uri"],
    }  # fmt: skip
    assert httpx.post(f"{provider}/token", data=without_verifier).status_code == 400


@pytest.mark.parametrize("algorithm", ["RS256", "HS256", "none"])
def test_a_token_that_somebody_else_signed_is_refused(rf: RequestFactory, provider: str, algorithm: str) -> None:
    now = int(time.time())
    claims = {"iss": provider, "aud": "kanpu", "sub": "x", "iat": now, "exp": now + 60, "auth_time": now, "nonce": "n"}
    key = {"RS256": rsa.generate_private_key(65537, 2048), "HS256": "k" * 32, "none": None}[algorithm]
    forged = jwt.encode(claims, key, algorithm=algorithm, headers={"kid": KEY_ID})  # type: ignore[arg-type]
    request = rf.get("/")
    request.session = {NONCE: "n"}  # type: ignore[assignment]
    adapter = GovernmentAdapter(request, PROVIDER)
    with pytest.raises(OAuth2Error):
        adapter.complete_login(request, adapter.get_provider().app, None, response={"id_token": forged})


def test_a_token_that_was_made_for_another_sign_in_is_refused(client: Client, hanako: User, provider: str) -> None:
    connect(client, hanako, "hanako")
    there = client.post("/login/identity?auth_params=prompt%3Dnone")["Location"]
    asked = dict(parse_qsl(urlsplit(there).query))
    assert (asked["prompt"], asked["nonce"]) == ("login", client.session[NONCE])  # whatever the address says
    for nonce in ("", "of-another-sign-in"):
        there = client.post("/login/identity")["Location"]
        asked = dict(parse_qsl(urlsplit(there).query)) | {"nonce": nonce, "person": "hanako"}
        back = httpx.post(f"{provider}/authorize", data=asked).headers["Location"]
        assert client.get(back.removeprefix("http://localhost"))["Location"] == "/login"
    assert client.get("/cards").status_code == 302
    assert go(client, "hanako")["Location"] == "/"


def test_giving_up_there_leads_back(client: Client, hanako: User, provider: str) -> None:
    assert go(client, "")["Location"] == "/login"
    assert "did not sign you in" in shown(client, "/login")


def test_a_provider_that_does_not_answer_is_no_error(client: Client, hanako: User, identities: Identities) -> None:
    identities.start()
    identities.processes.stop()
    assert client.post("/login/identity")["Location"] == "/login"
    assert "sign in another way" in shown(client, "/login")


def test_without_a_provider_there_is_no_such_way(client: Client, hanako: User) -> None:
    assert "identity provider" not in shown(client, "/login")
    assert client.post("/login/identity").status_code == 404
    assert client.get("/login/identity/back").status_code == 404

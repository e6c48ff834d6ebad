"""How residents sign in, in tests: letters, passwords, programs that show codes, and the browser's own passkeys."""

import base64
import hashlib
import hmac
import struct
import time
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from allauth.mfa.webauthn.internal.auth import WebAuthn
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import Aaguid, AttestationObject, AttestedCredentialData, AuthenticatorData, CollectedClientData
from playwright.sync_api import CDPSession, Page

from apps.audit.models import Event
from apps.audit.strength import RECORDS
from apps.portal.models import Account
from tests.pages import PASSWORD

EN = {"accept-language": "en"}
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"  # of a program


def code_of(secret: str, *, steps: int = 0) -> str:
    """The six digits that a program shows now, or so many half minutes later (RFC 6238)."""
    counter = struct.pack(">Q", int(time.time()) // 30 + steps)
    digest = hmac.new(base64.b32decode(secret), counter, hashlib.sha1).digest()
    at = digest[-1] & 0xF
    return f"{(int.from_bytes(digest[at : at + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06}"


def enter_code(client: Client, code: str, born: str = "1990-04-01") -> str:
    """What the first page says of a letter's code, or where it leads."""
    return _said(client.post("/activate", {"code": code, "birth_date": born}, headers=EN))


def choose(client: Client, username: str, password: str = PASSWORD) -> str:
    """Take a password and a program: where it leads, or what the page says that does not go on."""
    said = _said(client.post("/activate/account", {"username": username, "password": "1"}, headers=EN))
    if said == "/activate/password":
        given = {"new_password1": password, "new_password2": password}
        said = _said(client.post("/activate/password", given, headers=EN))
    return set_up_program(client, "/activate/program") if said == "/activate/program" else said


def set_up_program(client: Client, path: str) -> str:
    """Show the program the secret and type what it shows."""
    client.get(path)
    code = code_of(client.session["mfa.totp.secret"])
    return _said(client.post(path, {"code": code}, headers=EN))


def sign_in(client: Client, username: str, password: str = PASSWORD, *, following: str = "") -> str:
    """By password: where it leads, or what the page says."""
    return _said(client.post("/login", {"username": username, "password": password, "next": following}, headers=EN))


def give_code(client: Client, code: str) -> str:
    """The second factor: where it leads, or what the page says."""
    return _said(client.post("/login/code", {"code": code}, headers=EN))


def with_program(username: str, ref: UUID) -> User:
    """A resident's sign-in by a password and a program."""
    user = User.objects.create_user(username, password=PASSWORD)
    Account.objects.create(user=user, resident_ref=ref)
    TOTP.activate(user, SECRET)
    return user


def age_factor(client: Client, **ago: int) -> None:
    """The factor was given so long ago."""
    session = client.session
    session[RECORDS] = [record | {"at": record["at"] - timedelta(**ago).total_seconds()} for record in session[RECORDS]]
    session.save()


def events(action: str) -> list[Event]:
    """What the trail has of an action."""
    return list(Event.objects.filter(action=action))


def begin_session(page: Page, address: str, username: str) -> None:
    """The browser is signed in with two factors, without the pages for that."""
    client = Client()
    client.force_login(User.objects.get(username=username))
    name, value = settings.SESSION_COOKIE_NAME, client.cookies[settings.SESSION_COOKIE_NAME].value
    page.context.add_cookies([{"name": name, "value": value, "url": address}])


def on_localhost(address: str) -> str:
    """The server by the name for which browsers take passkeys without TLS."""
    return f"http://localhost:{urlsplit(address).port}"


def give_factors(user: User) -> Authenticator:
    """A program, recovery codes that nobody looked at yet, and a passkey, which is returned."""
    TOTP.activate(user, SECRET)
    RecoveryCodes.activate(user)
    return WebAuthn.add(user, "Phone", _credential(str(user.pk).encode())).instance


def _credential(number: bytes) -> dict[str, Any]:
    """What a browser says of a passkey that it made, with this id, on a device that says nothing of itself."""
    key = ES256.from_cryptography_key(ec.generate_private_key(ec.SECP256R1()).public_key())  # type: ignore[no-untyped-call]
    made = AttestedCredentialData.create(Aaguid.NONE, number, key)
    data = AuthenticatorData.create(b"\0" * 32, AuthenticatorData.FLAG.UP | AuthenticatorData.FLAG.AT, 0, made)
    origin = CollectedClientData.create("webauthn.create", b"challenge", "https://localhost")
    said = {"clientDataJSON": origin, "attestationObject": AttestationObject.create("none", data, {})}
    named = websafe_encode(number)
    response = {name: websafe_encode(value) for name, value in said.items()}
    return {"id": named, "rawId": named, "type": "public-key", "response": response}


def virtual_authenticator(page: Page) -> tuple[CDPSession, str]:
    """A device that keeps passkeys and says that its owner touched it: the session to it, and its id."""
    devices = page.context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    options: dict[str, Any] = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    made = devices.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return devices, str(made["authenticatorId"])


def _said(response: Any) -> str:
    return str(response["Location"]) if response.status_code == 302 else str(response.content.decode())

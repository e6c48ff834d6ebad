"""Where Kanpu differs from django-allauth: who may sign in how, what is said, and what is kept."""

import base64
import hashlib
from datetime import timedelta
from io import BytesIO
from typing import Any, Final

import segno
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import record_authentication
from allauth.account.models import Login
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.stages import AuthenticateStage
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from cryptography.fernet import Fernet
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.audit.strength import FACTOR, TO_SEND, is_fresh, records_of
from apps.portal.queries.accounts import NoAccount, resident_of

FRESH_IDENTITY: Final = timedelta(minutes=6)  # five that are asked for, and a minute for clocks that differ
NO_ADDRESS: Final = "0.0.0.0"  # noqa: S104 - of a request that came through no network  # nosec B104


def address_of(request: HttpRequest) -> str:
    """The other end of the connection. What a proxy says of whom it serves is not believed: anybody can say it."""
    return str(request.META.get("REMOTE_ADDR") or NO_ADDRESS)


def counted_name(_request: HttpRequest, credentials: dict[str, Any] | None) -> str:
    """Under what Axes counts a user name: not in clear, since people type passwords and numbers there."""
    name = str((credentials or {}).get("username") or "")
    return salted_hmac("kanpu.guesses", name.lower(), algorithm="sha256").hexdigest()


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Accounts come from letters alone, Axes counts passwords, and the second factor is asked for at the end."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "incorrect_password": gettext_lazy("This is not your password."),
        "too_many_login_attempts": gettext_lazy("Too many wrong codes. Wait 15 minutes, or sign in with a passkey."),
        "rate_limited": gettext_lazy("Too many wrong codes. Wait 15 minutes, then try again."),
    }

    def is_open_for_signup(self, _request: HttpRequest) -> bool:
        """Nobody signs up: an account is opened with a letter."""
        return False

    def get_login_stages(self) -> list[str]:
        """After the first factor only the second is asked for."""
        return ["apps.portal.adapters.FactorStage"]

    def pre_authenticate(self, _request: HttpRequest, **_credentials: Any) -> None:
        """Axes counts passwords."""

    def get_client_ip(self, request: HttpRequest) -> str:
        """Kept with a session, so that its owner can recognise it."""
        return address_of(request)

    def respond_user_inactive(self, request: HttpRequest, _user: User) -> HttpResponse:
        """A sign-in that was closed says so."""
        messages.error(request, _("This sign-in was closed. Ask at a window."))
        return redirect("login")

    def get_reauthentication_methods(self, user: User | AnonymousUser) -> list[dict[str, Any]]:
        """By a factor; by the password only for who has no other. The passkey first."""
        said = {
            "mfa_reauthenticate:webauthn": _("By passkey"),
            "mfa_reauthenticate": _("With a code"),
            "reauthenticate": _("With your password"),
        }
        found = {method["id"]: method for method in super().get_reauthentication_methods(user)}
        methods = [found[name] | {"description": words} for name, words in said.items() if name in found]
        return [method for method in methods if method["id"] != "reauthenticate"] or methods


class FactorStage(AuthenticateStage):  # type: ignore[misc]
    """A second factor is asked for by who has one and has not given it: with a passkey, or as a strong identity."""

    def _should_handle(self, request: HttpRequest) -> bool:
        user = self.login.user
        if acr := _strong_identity(self.login):
            record_authentication(request, user, FACTOR, type="identity", acr=acr)
        if any(record["method"] == FACTOR for record in records_of(request.session, user.pk)):
            return False
        return bool(super()._should_handle(request))


class FactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Secrets are kept sealed; a picture needs no style; names are ours."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": gettext_lazy(
            "That was not right. Take the newest code, a recovery code that is not used yet, or a passkey made here."
        ),
        "cannot_generate_recovery_codes": gettext_lazy("Set up a passkey or an authenticator program first."),
    }

    def encrypt(self, text: str) -> str:
        """Sealed with a key that is not in the database."""
        return _seal().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """What `encrypt` sealed."""
        return _seal().decrypt(encrypted_text.encode()).decode()

    def build_totp_svg(self, url: str) -> str:
        """A QR code that stands in the page itself, black on white in the dark as well."""
        drawn = BytesIO()
        plain = {"xmldecl": False, "svgns": False, "svgclass": None, "lineclass": None, "omitsize": True}
        segno.make(url, micro=False).save(drawn, kind="svg", border=4, light="#fff", **plain)
        return drawn.getvalue().decode()

    def generate_authenticator_name(self, user: User, type: Authenticator.Type) -> str:  # noqa: A002 - allauth's name
        """A name that can be changed."""
        there = Authenticator.objects.filter(user_id=user.pk, type=type).count()
        return _("Passkey %(number)s") % {"number": there + 1}

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """What a phone shows beside a passkey; the host's name binds it."""
        return {**super().get_public_key_credential_rp_entity(), "name": "Kanpu"}


class IdentityAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """The government's identity signs in who connected it before, with an account of a letter."""

    def is_open_for_signup(self, _request: HttpRequest, _sociallogin: SocialLogin) -> bool:
        """An identity that nobody connected opens nothing."""
        return False

    def get_connect_redirect_url(self, _request: HttpRequest, _account: object) -> str:
        """Back to where it was connected."""
        return str(redirect("sign-in")["Location"])

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Taken only if the person was just asked, and connected only by a resident who signed in just now."""
        signed_in_s = sociallogin.account.extra_data["id_token"]["auth_time"]
        if abs(timezone.now().timestamp() - signed_in_s) > FRESH_IDENTITY.total_seconds():
            raise ImmediateHttpResponse(_refused(request, _("The identity provider did not ask you. Try again.")))
        if sociallogin.state.get("process") == "connect" and not _may_connect(request):
            raise ImmediateHttpResponse(_refused(request, _("Sign in first, then connect your identity.")))

    def on_authentication_error(self, request: HttpRequest, *_args: object, **_particulars: object) -> None:
        """Whatever went wrong there, there are other ways in."""
        said = _("The identity provider did not sign you in. Try again, or sign in another way.")
        raise ImmediateHttpResponse(_refused(request, said))


def _strong_identity(login: Login) -> str:
    """What the provider calls this sign-in, if that is what the operator says means two factors; or nothing."""
    sociallogin = (login.signal_kwargs or {}).get("sociallogin")
    acr = sociallogin.account.extra_data["id_token"]["acr"] if sociallogin else ""
    return acr if acr and acr == settings.KANPU_OIDC_ACR else ""


def _may_connect(request: HttpRequest) -> bool:
    try:
        resident_of(request.user)
    except NoAccount:
        return False
    return is_fresh(records_of(request.session, request.user.pk or 0), TO_SEND, at=timezone.now())


def _refused(request: HttpRequest, said: str) -> HttpResponse:
    messages.error(request, said)
    return redirect("sign-in" if request.user.is_authenticated else "login")


def _seal() -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(f"factor:{settings.KANPU_FACTOR_KEY}".encode()).digest()))

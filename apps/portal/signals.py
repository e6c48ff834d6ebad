"""What libraries tell of signing in, for the trail and the session."""

from typing import Any
from uuid import UUID

from allauth.account.internal.flows.login import record_authentication
from allauth.account.signals import user_logged_in
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authentication_failed, authenticator_added, authenticator_reset
from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.signals import social_account_added
from axes.signals import user_locked_out
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in as any_logged_in
from django.contrib.auth.signals import user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from apps.audit.officers import is_officer
from apps.audit.session_store import RESIDENTS_REST, STAFF_RESTS, begin
from apps.audit.strength import FACTOR, records_of
from apps.portal.operations.sign_in import FACTORS, close_account, note, note_stranger
from apps.residents.operations.erasing import resident_erased


@receiver(resident_erased)
def forget_sign_in(ref: UUID, **_particulars: Any) -> None:
    """Who was erased does not sign in any more."""
    close_account(ref)


@receiver(any_logged_in)
def session_begins(request: HttpRequest, user: User, **_particulars: Any) -> None:
    """Staff's rests for a shorter while than a resident's."""
    begin(request.session, rests=STAFF_RESTS if is_officer(user) else RESIDENTS_REST, at=timezone.now())


@receiver(user_logged_in)
def signed_in(request: HttpRequest, user: User, **_particulars: Any) -> None:
    """With what: a passkey, a password and a program's code, …"""
    used = [str(record.get("type") or record["method"]) for record in records_of(request.session, user.pk)]
    note("sign_in", user, {"with": used}, at=timezone.now())


@receiver(user_login_failed)
def password_failed(credentials: dict[str, Any], request: Any = None, **_particulars: Any) -> None:
    """A wrong password. Of names that are nobody's there is no event: they may be passwords, or numbers."""
    locked = getattr(request, "axes_locked_out", False)
    if locked and request.axes_failures_since_start is None:  # it was not looked at any more
        return
    note_stranger("sign_in.failed", str(credentials.get("username", "")), {"with": "password"}, at=timezone.now())


@receiver(user_locked_out)
def locked_out(request: Any, **_particulars: Any) -> None:
    """Once, when it begins: later tries are not counted."""
    if request.axes_failures_since_start is not None:
        note_stranger("sign_in.locked_out", str(request.axes_credentials.get("username", "")), at=timezone.now())


@receiver(authentication_failed)
def code_failed(user: User, authenticator: Authenticator, **_particulars: Any) -> None:
    """A wrong code."""
    note_stranger("sign_in.failed", user.username, {"with": authenticator.type}, at=timezone.now())


@receiver(authenticator_added)
def factor_added(request: HttpRequest, user: User, authenticator: Authenticator, **_particulars: Any) -> None:
    """Who sets a factor up has shown it: the session is one with two factors from now on."""
    if authenticator.type in FACTORS:
        record_authentication(request, user, FACTOR, type=authenticator.type, id=authenticator.pk)
        note("sign_in.factor_added", user, {"factor": authenticator.type}, at=timezone.now())


@receiver(authenticator_reset)
def codes_made_anew(user: User, **_particulars: Any) -> None:
    """Other recovery codes."""
    note("sign_in.recovery_codes", user, at=timezone.now())


@receiver(social_account_added)
def identity_connected(sociallogin: SocialLogin, **_particulars: Any) -> None:
    """The government's identity signs in from now on."""
    note("sign_in.identity_added", sociallogin.user, at=timezone.now())

"""What a user's sign-in consists of."""

from datetime import datetime
from typing import NamedTuple

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.utils import timezone

from apps.portal.browsers import browser_of


class Factor(NamedTuple):
    """A passkey, or the authenticator program (without a name)."""

    pk: int
    name: str
    created_at: datetime
    last_used_at: datetime | None


class SignedIn(NamedTuple):
    """A session: since when, from where, with which browser on which system, and whether it is the one that asks."""

    pk: int
    since: datetime
    address: str
    browser: str
    system: str
    is_this: bool


class SignIn(NamedTuple):
    """All of it; `identity_acr` is None without a connected identity."""

    passkeys: list[Factor]
    program: Factor | None
    codes_left: int
    identity_acr: str | None
    identity_since: datetime | None
    sessions: list[SignedIn]

    @property
    def has_one_factor(self) -> bool:
        """Whether none can be removed."""
        return len(self.passkeys) + (self.program is not None) < 2


def sign_in_of(user: User, session_key: str) -> SignIn:
    """A user's sign-in, as the session sees it that has this key. Four queries."""
    found = list(Authenticator.objects.filter(user=user).order_by("created_at", "pk"))
    programs = [_factor(one) for one in found if one.type == Authenticator.Type.TOTP]
    codes = [RecoveryCodes(one) for one in found if one.type == Authenticator.Type.RECOVERY_CODES]
    identity = SocialAccount.objects.filter(user=user).first()
    return SignIn(
        passkeys=[_factor(one) for one in found if one.type == Authenticator.Type.WEBAUTHN],
        program=programs[0] if programs else None,
        codes_left=sum(len(one.get_unused_codes()) for one in codes),
        identity_acr=identity.extra_data.get("id_token", {}).get("acr", "") if identity else None,
        identity_since=identity.date_joined if identity else None,
        sessions=_sessions(user, session_key),
    )


def passkey_name(user: User, factor_id: int) -> str | None:
    """What its owner calls a passkey; nothing if the user has no such passkey."""
    return _name(user, factor_id, Authenticator.Type.WEBAUTHN)


def factor_name(user: User, factor_id: int) -> str | None:
    """The same, and empty for the program."""
    return _name(user, factor_id, Authenticator.Type.WEBAUTHN, Authenticator.Type.TOTP)


def _name(user: User, factor_id: int, *kinds: str) -> str | None:
    factor = Authenticator.objects.filter(user=user, pk=factor_id, type__in=kinds).first()
    return None if factor is None else str(factor.data.get("name", ""))


def _factor(one: Authenticator) -> Factor:
    return Factor(one.pk, str(one.data.get("name", "")), one.created_at, one.last_used_at)


def _sessions(user: User, session_key: str) -> list[SignedIn]:
    """Those that go on, the newest first."""
    alive = Session.objects.filter(expire_date__gt=timezone.now()).values("session_key")
    rows = UserSession.objects.filter(user=user, session_key__in=alive).order_by("-created_at", "-pk")
    return [
        SignedIn(row.pk, row.created_at, row.ip, *browser_of(row.user_agent), row.session_key == session_key)
        for row in rows
    ]

"""Changing a sign-in, and what the trail says of it: never a password, and no name that is nobody's."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.db import transaction

from apps.audit.officers import is_officer
from apps.audit.operations import record_event
from apps.kernel.errors import KanpuError
from apps.portal.models import Account

KEYS: Final = (Authenticator.Type.WEBAUTHN,)
FACTORS: Final = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


class FactorMissing(KanpuError):
    """The user has no such factor."""

    code = "factor_missing"


class LastFactor(KanpuError):
    """Without it the user could not sign in safely."""

    code = "last_factor"


class SessionMissing(KanpuError):
    """The user has no such session."""

    code = "session_missing"


def note(action: str, user: User, detail: Mapping[str, object] | None = None, *, at: datetime) -> None:
    """Add to the trail what somebody did about a sign-in, under the resident whose it is, or the officer's name."""
    subject = _subject(user)
    actor = "resident" if subject.startswith("resident:") else subject
    record_event(at=at, actor=actor, action=action, subject=subject, detail=dict(detail or {}))


def note_stranger(action: str, username: str, detail: Mapping[str, object] | None = None, *, at: datetime) -> None:
    """The same of who tried to sign in, if the name is somebody's."""
    user = User.objects.filter(username=username).first()
    if user is not None:
        record_event(at=at, actor="stranger", action=action, subject=_subject(user), detail=dict(detail or {}))


def _subject(user: User) -> str:
    ref = Account.objects.filter(user=user).values_list("resident_ref", flat=True).first()
    return f"resident:{ref}" if ref else f"user:{user.username}"


@transaction.atomic
def change_password(user: User, password: str, session_key: str, *, at: datetime) -> None:
    """Another password, which the caller checked; all sessions but this one end."""
    user.set_password(password)
    user.save(update_fields=["password"])
    for session in UserSession.objects.filter(user=user).exclude(session_key=session_key):
        session.end()
    note("sign_in.password", user, at=at)


def session_goes_on(session_key: str, as_key: str) -> None:
    """A session has another key now."""
    UserSession.objects.filter(session_key=session_key).update(session_key=as_key)


@transaction.atomic
def rename_factor(user: User, factor_id: int, name: str) -> None:
    """Call a passkey something else. Raises FactorMissing."""
    factor = _factor(user, factor_id)
    factor.data["name"] = name
    factor.save(update_fields=["data"])


@transaction.atomic
def remove_factor(user: User, factor_id: int, *, at: datetime) -> None:
    """Remove a passkey or the program, but not the last of them. Raises FactorMissing and LastFactor.

    An officer keeps a key: without one, a code that was drawn out of them would let a stranger make one.
    """
    User.objects.select_for_update().get(pk=user.pk)  # two at once must not remove both
    factor = _factor(user, factor_id)
    counted = KEYS if is_officer(user) and factor.type in KEYS else FACTORS
    if not Authenticator.objects.filter(user=user, type__in=counted).exclude(pk=factor.pk).exists():
        raise LastFactor("This is your last factor. Set up another one first.")
    factor.delete()
    note("sign_in.factor_removed", user, {"factor": factor.type}, at=at)


def _factor(user: User, factor_id: int) -> Authenticator:
    factor = Authenticator.objects.filter(user=user, pk=factor_id, type__in=FACTORS).first()
    if factor is None:
        raise FactorMissing("The user has no such factor.")
    return factor


@transaction.atomic
def disconnect_identity(user: User, *, at: datetime) -> None:
    """The government's identity does not sign in any more."""
    if SocialAccount.objects.filter(user=user).delete()[0]:
        note("sign_in.identity_removed", user, at=at)


@transaction.atomic
def end_session(user: User, session_id: int, *, at: datetime) -> None:
    """End one session. Raises SessionMissing."""
    session = UserSession.objects.filter(user=user, pk=session_id).first()
    if session is None:
        raise SessionMissing("The user has no such session.")
    session.end()
    note("sign_in.session_ended", user, {"sessions": 1}, at=at)


@transaction.atomic
def end_other_sessions(user: User, session_key: str, *, at: datetime) -> int:
    """End all sessions but this one. Returns how many."""
    others = list(UserSession.objects.filter(user=user).exclude(session_key=session_key))
    for session in others:
        session.end()
    note("sign_in.session_ended", user, {"sessions": len(others)}, at=at)
    return len(others)


@transaction.atomic
def close_account(ref: UUID) -> None:
    """A resident's account, with its user, factors, identity and sessions, is gone for good."""
    account = Account.objects.select_related("user").filter(resident_ref=ref).first()
    if account is None:
        return
    for session in UserSession.objects.filter(user=account.user):
        session.end()
    account.user.delete()

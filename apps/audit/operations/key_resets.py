"""An officer who lost all keys: two operators remove them, and give a new first password."""

import secrets
from datetime import datetime

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from apps.audit.models import KeyReset, Officer
from apps.audit.officers import is_officer
from apps.audit.operations.delays import SecondOfficer
from apps.audit.operations.officers import FIRST_PASSWORD_BYTES
from apps.audit.operations.trail import record_event
from apps.kernel.errors import KanpuError


class OfficerUnknown(KanpuError):
    """No officer has this user name."""

    code = "officer_unknown"


class ResetClosed(KanpuError):
    """There is no such request, or it was answered."""

    code = "reset_closed"


def ask_key_reset(username: str, *, reason: str, at: datetime, actor: str) -> KeyReset:
    """An operator says that an officer lost their keys. Raises OfficerUnknown and ResetClosed (asked for before)."""
    user = User.objects.filter(username=username).first()
    if user is None or not is_officer(user):
        raise OfficerUnknown("No officer has this user name.")
    try:
        with transaction.atomic():
            reset = KeyReset.objects.create(user=user, reason=reason, asked_by=actor, asked_at=at)
            record_event(
                at=at, actor=actor, action="officer.ask_key_reset", subject=f"user:{username}", purpose=reason,
                detail={"reset": reset.pk},
            )  # fmt: skip
    except IntegrityError as error:
        raise ResetClosed("It was asked for already: another operator does it.") from error
    return reset


@transaction.atomic
def reset_keys(reset_id: int, *, at: datetime, actor: str) -> str:
    """Another operator removes all factors, ends all sessions and gives a first password, which is returned.

    Raises ResetClosed and SecondOfficer: who asked, and the officer themselves, do not do it.
    """
    reset = KeyReset.objects.select_for_update().select_related("user").filter(pk=reset_id, approved_at=None).first()
    if reset is None:
        raise ResetClosed("There is no such request, or it was answered.")
    user = reset.user
    if actor in (reset.asked_by, f"user:{user.username}"):
        raise SecondOfficer("You asked for it yourself: another operator does it.")
    reset.approved_by, reset.approved_at = actor, at
    reset.save(update_fields=["approved_by", "approved_at"])
    factors = Authenticator.objects.filter(user=user)
    before = sorted(factors.values_list("type", "pk"))
    factors.delete()
    for session in UserSession.objects.filter(user=user):
        session.end()
    first_password = secrets.token_urlsafe(FIRST_PASSWORD_BYTES)
    user.set_password(first_password)  # ends sessions that nobody lists as well
    user.save(update_fields=["password"])
    Officer.objects.filter(user=user).update(has_first_password=True)
    record_event(
        at=at, actor=actor, action="officer.reset_keys", subject=f"user:{user.username}", purpose=reset.reason,
        detail={"reset": reset.pk, "factors": len(before)}, before={"factors": before}, after={"factors": []},
    )  # fmt: skip
    return first_password

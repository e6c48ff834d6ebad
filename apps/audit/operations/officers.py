"""Appointing officers, and their passwords."""

import secrets
from collections.abc import Collection
from datetime import datetime
from typing import Final, NamedTuple

from django.contrib.auth.models import Group, User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from apps.audit.models import Officer
from apps.audit.officers import Role, check_roles, standing_of
from apps.audit.operations.trail import record_event
from apps.kernel.errors import KanpuError

FIRST_PASSWORD_BYTES: Final = 12


class PasswordRefused(KanpuError):
    """The password is too short or too common."""

    code = "password_refused"


class OfficeMissing(KanpuError):
    """An officer works for an office, which access records name."""

    code = "office_missing"


class NotOfStaff(KanpuError):
    """Somebody who is not of staff has this user name, a resident say, and chose its password."""

    code = "not_of_staff"


class Appointed(NamedTuple):
    """A user's roles and office; `first_password` is shown once, and changed at the first sign-in."""

    username: str
    roles: tuple[Role, ...]
    office: str
    first_password: str | None


@transaction.atomic
def appoint_officer(
    username: str,
    *,
    add: Collection[Role] = (),
    remove: Collection[Role] = (),
    office: str = "",
    email: str = "",
    password: str | None = None,
    at: datetime,
    actor: str,
) -> Appointed:
    """Make a user an officer, or change an officer's roles and office; what is not given stays.

    A new user without a password gets one to be changed at the first sign-in. Raises RolesApart, OfficeMissing,
    PasswordRefused and NotOfStaff.
    """
    user, is_new = User.objects.select_for_update().get_or_create(username=username)
    before = standing_of(user)
    if not (is_new or before.roles or user.is_staff or Officer.objects.filter(user=user).exists()):
        raise NotOfStaff(f"Somebody signs in as {username} already and is not of staff. Choose another user name.")
    roles = (before.roles | set(add)) - set(remove)
    check_roles(roles)
    first_password = secrets.token_urlsafe(FIRST_PASSWORD_BYTES) if is_new and password is None else None
    if password is not None:
        _check_password(password, user)
    if first_password or password:
        user.set_password(first_password or password)
    user.email = email or user.email
    user.save()
    user.groups.remove(*Group.objects.filter(name__in=set(remove)))
    user.groups.add(*(Group.objects.get_or_create(name=role)[0] for role in roles))
    office = office or before.office
    if not office:
        raise OfficeMissing(f"For which office does {username} work? Give --office.")
    keeps_first = before.must_change_password and not password
    Officer.objects.update_or_create(
        user=user, defaults={"office": office, "has_first_password": bool(first_password) or keeps_first}
    )
    named = tuple(sorted(roles))
    detail = {"roles": named, "office": office, "password_set": bool(first_password or password)}
    record_event(
        at=at, actor=actor, action="officer.appoint", subject=f"user:{username}", detail=detail,
        before={"roles": sorted(before.roles), "office": before.office}, after={"roles": named, "office": office},
    )  # fmt: skip
    return Appointed(username, named, office, first_password)


def _check_password(password: str, user: User) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise PasswordRefused(" ".join(error.messages)) from error


@transaction.atomic
def change_password(user: User, password: str, *, at: datetime) -> None:
    """An officer's own new password, in place of the first one. The caller has checked the old one and the new."""
    user.set_password(password)
    user.save(update_fields=["password"])
    Officer.objects.filter(user=user).update(has_first_password=False)
    record_event(
        at=at, actor=f"user:{user.get_username()}", action="officer.change_password",
        subject=f"user:{user.get_username()}", detail={},
    )  # fmt: skip

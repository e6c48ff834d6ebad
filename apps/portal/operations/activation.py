"""The first sign-in: the code of a letter and the birth date open an account, or set an account's sign-in anew.

Nothing is spent before all is set up: the letter, the user, the factor and the recovery codes are one transaction.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from allauth.mfa.webauthn.internal.auth import WebAuthn
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction

from apps.audit.access import Access
from apps.audit.operations import record_event
from apps.kernel.errors import KanpuError
from apps.portal.models import Account
from apps.residents.models import Notice
from apps.residents.notice_codes import typed
from apps.residents.operations.notices import CodeVoid, give_try_back, spend_after_tries, spend_code, take_try
from apps.residents.queries.vault import checked_vault_keys, read_vault

ACTOR: Final = "resident"
ACCESS: Final = Access(actor=ACTOR, role="resident", office="", purpose="activation")


class BirthDateWrong(KanpuError):
    """The code is a letter's, the birth date is not that resident's."""

    code = "birth_date_wrong"


class UserNameTaken(KanpuError):
    """Somebody else has this user name."""

    code = "user_name_taken"


@dataclass(frozen=True, slots=True)
class NewSignIn:
    """How a resident will sign in: by a passkey, or by a password (its hash) and a program's secret.

    User id (from `next_user_id`) and name are of a new account only.
    """

    user_id: int = 0
    username: str = ""
    password_hash: str = ""
    program_secret: str = ""
    passkey: dict[str, Any] = field(default_factory=dict)
    passkey_name: str = ""


def check_code(code: str, birth_date: date, *, at: datetime) -> Notice:
    """The letter whose code and whose resident's birth date these are. Not inside a transaction: the vault is read.

    Raises CodeUnknown, CodeVoid (after too many wrong birth dates as well), CodeExpired, BirthDateWrong and what
    `read_vault` raises.
    """
    checked_vault_keys()  # without them nobody loses a try
    notice = take_try(typed(code), at=at)
    ref = notice.resident_id
    identity = read_vault([ref], ("person",), access=ACCESS, at=at).get(ref)
    if identity is not None and identity.person is not None and identity.person.birth_date == birth_date:
        give_try_back(notice)
        return notice
    if spend_after_tries(notice, at=at, actor=ACTOR):
        raise CodeVoid("Too many birth dates did not match. Ask for a new letter.")
    raise BirthDateWrong("Code and birth date do not belong together. Check both.")


def next_user_id() -> int:
    """The id of a user to come: a passkey is made for it before there is the user."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('auth_user', 'id'))")
        return int(cursor.fetchone()[0])


def open_account(notice_id: int, new: NewSignIn, *, at: datetime) -> User:
    """Spend a code that was checked: the resident's sign-in, new, or the one there is, with nothing left of the old.

    What is in `new` is checked by the caller. Raises CodeVoid, CodeExpired and UserNameTaken.
    """
    try:
        with transaction.atomic():
            notice = spend_code(notice_id, at=at)
            account = Account.objects.select_related("user").filter(resident_ref=notice.resident_id).first()
            user = _emptied(account.user, new) if account else _new_user(notice, new)
            kind = _set_factor(user, new)
            record_event(
                at=at, actor=ACTOR, action="account.recover" if account else "account.activate",
                subject=f"resident:{notice.resident_id}", detail={"notice": notice.pk, "factor": kind},
            )  # fmt: skip
    except IntegrityError as error:
        raise UserNameTaken("Somebody else has this user name. Choose another.") from error
    return user


def _emptied(user: User, new: NewSignIn) -> User:
    """Whoever is signed in is not any more, and no old factor or identity signs in."""
    for session in UserSession.objects.filter(user=user):
        session.end()
    Authenticator.objects.filter(user=user).delete()
    SocialAccount.objects.filter(user=user).delete()
    _set_password(user, new)  # sessions that are in no list end with the old password
    user.save(update_fields=["password"])
    return user


def _new_user(notice: Notice, new: NewSignIn) -> User:
    user = User(pk=new.user_id, username=new.username)
    _set_password(user, new)
    user.save(force_insert=True)
    Account.objects.create(user=user, resident_ref=notice.resident_id)
    return user


def _set_password(user: User, new: NewSignIn) -> None:
    if new.password_hash:
        user.password = new.password_hash
    else:
        user.set_unusable_password()


def _set_factor(user: User, new: NewSignIn) -> str:
    if new.passkey:
        made = WebAuthn.add(user, new.passkey_name, new.passkey).instance
    else:
        made = TOTP.activate(user, new.program_secret).instance
    RecoveryCodes.activate(user)
    return str(made.type)

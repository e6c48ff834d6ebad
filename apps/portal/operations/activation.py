"""The first sign-in: the code of a letter and the birth date open an account, or give an account another password."""

from datetime import date, datetime
from typing import Final

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

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


def open_account(notice_id: int, username: str, password: str, *, at: datetime) -> User:
    """Spend a code that was checked: the resident's sign-in, new, or the one there is with a new password.

    `username` is for a new one only; name and password are checked by the caller. Raises CodeVoid, CodeExpired and
    UserNameTaken.
    """
    try:
        with transaction.atomic():
            notice = spend_code(notice_id, at=at)
            account = Account.objects.select_related("user").filter(resident_ref=notice.resident_id).first()
            user = _with_password(account.user, password) if account else _new_user(notice, username, password)
            record_event(
                at=at, actor=ACTOR, action="account.recover" if account else "account.activate",
                subject=f"resident:{notice.resident_id}", detail={"notice": notice.pk},
            )  # fmt: skip
    except IntegrityError as error:
        raise UserNameTaken("Somebody else has this user name. Choose another.") from error
    return user


def _with_password(user: User, password: str) -> User:
    """Whoever is signed in with the old one is not any more."""
    user.set_password(password)
    user.save(update_fields=["password"])
    return user


def _new_user(notice: Notice, username: str, password: str) -> User:
    user = User.objects.create_user(username, password=password)
    Account.objects.create(user=user, resident_ref=notice.resident_id)
    return user

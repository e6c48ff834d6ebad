"""Which officers there are, and what each role may do: the group that a user is in."""

from enum import StrEnum
from typing import Final

from django.contrib.auth.models import AnonymousUser, User

from apps.kernel.errors import KanpuError


class Role(StrEnum):
    """A group of users. Each may do the least that its work needs."""

    AUDITOR = "auditor"  # sees the console, signs runs
    CLERK = "registry_clerk"  # imports the register, hands cards over, sees who a resident is
    HELPDESK = "helpdesk"  # suspends cards, sees cards' states only
    OPERATOR = "operator"  # keys, cards, notices: never who a resident is
    PROTECTED_OFFICER = "protected_officer"  # beside another role: opens protected residents


AUDITORS: Final = Role.AUDITOR.value


class NotAnAuditor(KanpuError):
    """The user is no active member of the auditors' group."""

    code = "not_an_auditor"


def roles_of(user: User | AnonymousUser) -> frozenset[Role]:
    """The roles of a user: one query, none for a stranger or one who was put off."""
    if not (user.is_authenticated and user.is_active):
        return frozenset()
    return frozenset(Role(name) for name in user.groups.filter(name__in=list(Role)).values_list("name", flat=True))


def is_auditor(user: User | AnonymousUser) -> bool:
    """Whether the user is in the auditors' group: one query."""
    return Role.AUDITOR in roles_of(user)


def auditor_named(username: str) -> User:
    """The auditor of that name. Raises NotAnAuditor."""
    user = User.objects.filter(username=username, is_active=True, groups__name=AUDITORS).first()
    if user is None:
        raise NotAnAuditor(f"{username!r} is no auditor. Only members of the group {AUDITORS!r} sign a run.")
    return user

"""Who may act as an auditor."""

from typing import Final

from django.contrib.auth.models import AnonymousUser, User

from apps.kernel.errors import KanpuError

AUDITORS: Final = "auditor"  # the group whose members see the console and sign runs


class NotAnAuditor(KanpuError):
    """The user is no active member of the auditors' group."""

    code = "not_an_auditor"


def is_auditor(user: User | AnonymousUser) -> bool:
    """Whether the user is in the auditors' group: one query."""
    return user.is_authenticated and user.is_active and user.groups.filter(name=AUDITORS).exists()


def auditor_named(username: str) -> User:
    """The auditor of that name. Raises NotAnAuditor."""
    user = User.objects.filter(username=username, is_active=True, groups__name=AUDITORS).first()
    if user is None:
        raise NotAnAuditor(f"{username!r} is no auditor. Only members of the group {AUDITORS!r} sign a run.")
    return user

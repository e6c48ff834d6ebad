"""Which officers there are, and what each role may do: the group that a user is in."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from allauth.mfa.models import Authenticator
from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.kernel.errors import KanpuError


class Role(StrEnum):
    """A group of users. Each may do the least that its work needs."""

    AUDITOR = "auditor"  # sees the console, signs runs
    CLERK = "registry_clerk"  # imports the register, hands cards over, sees who a resident is
    HELPDESK = "helpdesk"  # suspends cards, sees cards' states only
    OPERATOR = "operator"  # keys, cards, notices: never who a resident is
    PROTECTED_OFFICER = "protected_officer"  # beside another role: opens protected residents


class Thing(StrEnum):
    """What of residents, or of the whole, is open to some roles and to nobody else."""

    PERSON = "person"
    CARDS = "cards"
    LETTERS = "letters"
    HOUSEHOLD = "household"
    CHOICES = "choices"
    PURCHASES = "purchases"
    REFUNDS = "refunds"
    DECISIONS = "decisions"
    QUESTIONS = "questions"
    ACCESSES = "accesses"
    ALARMS = "alarms"
    COUNTS = "counts"


# Which roles may open what: the guards of the pages go by it, and it is published.
MAY_OPEN: Final[Mapping[Thing, frozenset[Role]]] = {
    Thing.PERSON: frozenset({Role.CLERK}),
    Thing.CARDS: frozenset({Role.CLERK, Role.HELPDESK}),
    Thing.LETTERS: frozenset({Role.CLERK, Role.HELPDESK}),
    Thing.HOUSEHOLD: frozenset({Role.CLERK}),
    Thing.CHOICES: frozenset({Role.CLERK}),
    Thing.PURCHASES: frozenset({Role.CLERK}),
    Thing.REFUNDS: frozenset({Role.AUDITOR}),
    Thing.DECISIONS: frozenset({Role.AUDITOR}),
    Thing.QUESTIONS: frozenset({Role.CLERK, Role.AUDITOR}),
    Thing.ACCESSES: frozenset({Role.AUDITOR}),
    Thing.ALARMS: frozenset({Role.AUDITOR}),
    Thing.COUNTS: frozenset({Role.OPERATOR}),
}
AUDITORS: Final = Role.AUDITOR.value
SEES_NAMES: Final = frozenset({Role.CLERK, Role.HELPDESK})  # or may find out whose card or number something is
SEES_REFERENCES: Final = frozenset({Role.AUDITOR, Role.OPERATOR})


class NotAnAuditor(KanpuError):
    """The user is no active member of the auditors' group."""

    code = "not_an_auditor"


class RolesApart(KanpuError):
    """These roles must not be one person's."""

    code = "roles_apart"


@dataclass(frozen=True, slots=True)
class Standing:
    """Which roles a user has, and for which office they work. `must_change_password` after the one that was given."""

    roles: frozenset[Role] = frozenset()
    office: str = ""
    must_change_password: bool = False

    @property
    def opens_protected(self) -> bool:
        """Whether protected residents are open to the user, as far as the other role goes."""
        return Role.PROTECTED_OFFICER in self.roles


def standing_of(user: User | AnonymousUser) -> Standing:
    """What a user is in the office: one query, nothing for a stranger or one who was put off."""
    if not (user.is_authenticated and user.is_active):
        return Standing()
    rows = User.objects.filter(pk=user.pk).values_list("groups__name", "officer__office", "officer__has_first_password")
    names, offices, first_passwords = zip(*rows, strict=True)
    roles = frozenset(Role(name) for name in names if name in set(Role))
    return Standing(roles, offices[0] or "", bool(first_passwords[0]))


def is_officer(user: User | AnonymousUser) -> bool:
    """Whether the user has a role, or the administration's pages: one query."""
    return _officers().filter(pk=user.pk or 0).exists()


def has_officers_key(user: User | AnonymousUser) -> bool:
    """Whether the user is an officer with a passkey or security key: then nothing else counts. One query."""
    keys = Authenticator.objects.filter(user=OuterRef("pk"), type=Authenticator.Type.WEBAUTHN)
    return _officers().filter(Exists(keys), pk=user.pk or 0).exists()


def _officers() -> "QuerySet[User]":
    return User.objects.filter(Q(is_staff=True) | Q(is_superuser=True) | Q(groups__name__in=set(Role)), is_active=True)


def is_auditor(user: User | AnonymousUser) -> bool:
    """Whether the user is in the auditors' group: one query."""
    return Role.AUDITOR in standing_of(user).roles


def check_roles(roles: Collection[Role]) -> None:
    """Whoever knows residents by reference must not learn who they are. Raises RolesApart."""
    if SEES_NAMES & set(roles) and SEES_REFERENCES & set(roles):
        raise RolesApart("An auditor or operator cannot be clerk or helpdesk too. Remove a role, or make another user.")
    if set(roles) == {Role.PROTECTED_OFFICER}:
        raise RolesApart("A protected officer has another role beside: give that one as well.")


def auditor_named(username: str) -> User:
    """The auditor of that name. Raises NotAnAuditor."""
    user = User.objects.filter(username=username, is_active=True, groups__name=AUDITORS).first()
    if user is None:
        raise NotAnAuditor(f"{username!r} is no auditor. Only members of the group {AUDITORS!r} sign a run.")
    return user

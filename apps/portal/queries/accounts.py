"""As which resident a user signs in, and whose pages are open."""

from uuid import UUID

from django.contrib.auth.models import AnonymousUser, User
from django.utils import timezone

from apps.kernel.errors import KanpuError
from apps.portal.models import Account
from apps.portal.viewer import Right, Viewer
from apps.residents.models import Notice
from apps.residents.queries.proxies import grant_over


class NoAccount(KanpuError):
    """The user signs in as no resident."""

    code = "no_account"


def resident_of(user: User | AnonymousUser) -> UUID:
    """The resident as whom the user signs in. Raises NoAccount."""
    account = Account.objects.filter(user=user).first() if user.is_authenticated else None
    if account is None:
        raise NoAccount("This sign-in belongs to no resident.")
    return account.resident_ref


def is_resident(user: User) -> bool:
    """Whether the user signs in as a resident."""
    return Account.objects.filter(user=user).exists()


def viewer_of(user: User | AnonymousUser, right: Right, *, acting: str = "") -> Viewer:
    """Who looks at whose pages, with this right: `acting` names the grant by which the user acts for somebody.

    Whoever acts for nobody has every right to the own pages, and costs no query more. Raises NoAccount, also when the
    grant has ended or does not give the right.
    """
    ref = resident_of(user)
    if not acting:
        return Viewer(ref)
    grant = grant_over(ref, acting, at=timezone.now())
    if grant is None or right not in grant.rights:
        raise NoAccount("This sign-in does not act for that resident, or has no right to this page.")
    return Viewer(grant.resident_ref, f"proxy:{user.pk}", agent_ref=ref, grant=grant)


def user_of_letter(notice_id: int) -> User | None:
    """Who signs in as the resident of a letter, if somebody does: one query."""
    refs = Notice.objects.filter(pk=notice_id).values("resident_id")
    return User.objects.filter(portal_account__resident_ref__in=refs).first()

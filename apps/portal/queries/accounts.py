"""As which resident a user signs in, and whose pages are open."""

from typing import Final
from uuid import UUID

from django.contrib.auth.models import AnonymousUser, User
from django.utils import timezone

from apps.kernel.database import Ask, Statement, trip
from apps.kernel.errors import KanpuError
from apps.portal.models import Account
from apps.portal.queries.messages import UNREAD_SHOWN
from apps.portal.viewer import Right, Viewer
from apps.residents.models import Notice
from apps.residents.queries.proxies import grant_over

ACCOUNT: Final = Statement(f"""
SELECT a.resident_ref, (
    SELECT count(*) FROM (
        SELECT FROM residents_message m WHERE m.resident_ref = a.resident_ref AND m.read_at IS NULL
        LIMIT {UNREAD_SHOWN + 1}) unread)
FROM portal_account a WHERE a.user_id = $1
""")  # noqa: S608 - a number of our own


class NoAccount(KanpuError):
    """The user signs in as no resident."""

    code = "no_account"


def resident_of(user: User | AnonymousUser) -> UUID:
    """The resident as whom the user signs in. Raises NoAccount."""
    return _own(user).ref


def is_resident(user: User) -> bool:
    """Whether the user signs in as a resident."""
    return Account.objects.filter(user=user).exists()


def viewer_of(user: User | AnonymousUser, right: Right, *, acting: str = "") -> Viewer:
    """Who looks at whose pages, with this right: `acting` names the grant by which the user acts for somebody.

    Whoever acts for nobody has every right to the own pages, and costs no query more. Raises NoAccount, also when the
    grant has ended or does not give the right.
    """
    own = _own(user)
    if not acting:
        return own
    grant = grant_over(own.ref, acting, at=timezone.now())
    if grant is None or right not in grant.rights:
        raise NoAccount("This sign-in does not act for that resident, or has no right to this page.")
    return Viewer(grant.resident_ref, f"proxy:{user.pk}", agent_ref=own.ref, grant=grant)


def _own(user: User | AnonymousUser) -> Viewer:
    """Who signed in, on the own pages: each page asks, and says how many messages are unread. One query."""
    (rows,) = trip(Ask(ACCOUNT, (user.pk,))) if user.is_authenticated else [[]]
    if not rows:
        raise NoAccount("This sign-in belongs to no resident.")
    ((ref, unread),) = rows
    return Viewer(ref, unread=unread)


def user_of_letter(notice_id: int) -> User | None:
    """Who signs in as the resident of a letter, if somebody does: one query."""
    refs = Notice.objects.filter(pk=notice_id).values("resident_id")
    return User.objects.filter(portal_account__resident_ref__in=refs).first()

"""As which resident a user signs in."""

from uuid import UUID

from django.contrib.auth.models import AnonymousUser, User

from apps.kernel.errors import KanpuError
from apps.portal.models import Account


class NoAccount(KanpuError):
    """The user signs in as no resident."""

    code = "no_account"


def resident_of(user: User | AnonymousUser) -> UUID:
    """The resident as whom the user signs in. Raises NoAccount."""
    account = Account.objects.filter(user=user).first() if user.is_authenticated else None
    if account is None:
        raise NoAccount("This sign-in belongs to no resident.")
    return account.resident_ref

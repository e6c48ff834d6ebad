"""One of the resident's own purchases."""

from django.contrib.auth.models import AnonymousUser, User

from apps.accruals.models import Entry
from apps.kernel.errors import KanpuError
from apps.merchants.queries import StoreName, store_names
from apps.portal.queries.accounts import resident_of


class PurchaseUnknown(KanpuError):
    """The resident has no such purchase."""

    code = "purchase_unknown"


def own_purchase(user: User | AnonymousUser, terminal_id: int, seq: int) -> tuple[Entry, StoreName | None]:
    """A counted purchase and its shop. Raises NoAccount, and PurchaseUnknown for another's."""
    entries = Entry.objects.filter(resident_ref=resident_of(user), terminal_id=terminal_id, seq=seq, kind="sale")
    entry = entries.first()
    if entry is None:
        raise PurchaseUnknown("There is no such purchase.")
    return entry, store_names([terminal_id]).get(terminal_id)

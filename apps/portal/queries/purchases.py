"""The resident's own purchases: which were held, and one of those that were counted."""

from django.contrib.auth.models import AnonymousUser, User

from apps.accruals.queries.shown import HeldPage, PurchaseRow, held_page, sale_of_resident
from apps.kernel.errors import KanpuError
from apps.portal.queries.accounts import resident_of


class PurchaseUnknown(KanpuError):
    """The resident has no such purchase."""

    code = "purchase_unknown"


def own_held(user: User | AnonymousUser, *, page: str | None) -> HeldPage:
    """The resident's purchases that were held. Raises NoAccount."""
    return held_page(resident_of(user), page=page)


def own_purchase(user: User | AnonymousUser, terminal_id: int, seq: int) -> PurchaseRow:
    """A counted purchase. Raises NoAccount, and PurchaseUnknown for another's."""
    purchase = sale_of_resident(resident_of(user), terminal_id, seq)
    if purchase is None:
        raise PurchaseUnknown("There is no such purchase.")
    return purchase

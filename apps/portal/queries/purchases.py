"""The resident's own purchases: which were held, and one of those that were counted."""

from uuid import UUID

from apps.accruals.queries.shown import HeldPage, PurchaseRow, held_page, sale_of_resident
from apps.kernel.errors import KanpuError


class PurchaseUnknown(KanpuError):
    """The resident has no such purchase."""

    code = "purchase_unknown"


def own_held(ref: UUID, *, page: str | None) -> HeldPage:
    """The resident's purchases that were held."""
    return held_page(ref, page=page)


def own_purchase(ref: UUID, terminal_id: int, seq: int) -> PurchaseRow:
    """A counted purchase. Raises PurchaseUnknown for another's."""
    purchase = sale_of_resident(ref, terminal_id, seq)
    if purchase is None:
        raise PurchaseUnknown("There is no such purchase.")
    return purchase

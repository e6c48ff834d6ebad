"""The resident's own disputes, and what may be disputed."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.core.paginator import Page, Paginator
from django.utils import timezone

from apps.accruals.models import Dispute
from apps.accruals.queries.sales import SaleSeen, sale_seen
from apps.accruals.queries.shown import Named, named_tiers, shop_of
from apps.merchants.queries import StoreName
from apps.portal.queries.purchases import PurchaseUnknown
from apps.purchases.following import Key
from apps.refunds.queries.disputes import (
    DisputeMissing,
    DisputePage,
    dispute_of,
    disputes_of_resident,
    offered_on,
    page_of_dispute,
)
from apps.schemes.document import Scheme, Tier

DISPUTES_A_PAGE: Final = 20


@dataclass(frozen=True, slots=True)
class Disputable:
    """A counted purchase that may be disputed: its shop, and its amounts in the words of its year's scheme."""

    sale: SaleSeen
    shop: StoreName | None
    scheme: Scheme
    tiers: list[Tier]

    @property
    def sold(self) -> Named:
        """What the purchase has as it stands, by tier."""
        return named_tiers(self.scheme, self.sale.sold)


def own_disputes(ref: UUID, *, page: str | None) -> "Page[Dispute]":
    """A page of the resident's disputes, the newest first: two queries."""
    return Paginator(disputes_of_resident(ref), DISPUTES_A_PAGE).get_page(page)


def own_dispute(ref: UUID, dispute_id: int) -> Dispute:
    """One of the resident's disputes. Raises DisputeMissing for another's."""
    dispute = dispute_of(dispute_id)
    if dispute.resident_ref != ref:
        raise DisputeMissing(f"There is no dispute {dispute_id}.")
    return dispute


def own_dispute_page(ref: UUID, dispute_id: int) -> DisputePage:
    """The same with its purchase. Raises DisputeMissing for another's."""
    return page_of_dispute(own_dispute(ref, dispute_id))


def disputable(ref: UUID, terminal_id: int, seq: int) -> Disputable:
    """A purchase of the resident's that counts. Raises PurchaseUnknown for any other."""
    key = Key(terminal_id, seq)
    sale = sale_seen(ref, key)
    if sale is None or not sale.is_counted:
        raise PurchaseUnknown("There is no such purchase that counts.")
    offered = offered_on(timezone.localdate(sale.at))
    if offered is None:
        raise PurchaseUnknown("The year of this purchase is not started.")
    return Disputable(sale, shop_of(ref, key), offered.scheme, offered.tiers)

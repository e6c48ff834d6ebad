"""What is held against the resident's own purchases."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from django.utils import timezone

from apps.accruals.queries.sales import SaleSeen, sale_seen
from apps.accruals.queries.shown import Named, named_tiers, shop_of
from apps.inspections.models import Annulment, AnnulmentState
from apps.inspections.queries.annulments import AnnulmentMissing, annulment_of
from apps.merchants.queries import StoreName
from apps.refunds.queries.disputes import scheme_in
from apps.schemes.document import Scheme


@dataclass(frozen=True, slots=True)
class Hearing:
    """What is held against a purchase, as its resident sees it: a proposal is none of theirs. `sale` may be gone."""

    annulment: Annulment
    scheme: Scheme
    sale: SaleSeen | None
    shop: StoreName | None
    now: datetime

    @property
    def sold(self) -> Named:
        """What the purchase has, by tier."""
        return named_tiers(self.scheme, self.sale.sold) if self.sale else ()

    @property
    def last_day(self) -> date:
        """The last day to reply."""
        return timezone.localdate(self.annulment.reply_ends_at - timedelta(seconds=1))

    @property
    def can_reply(self) -> bool:
        """Whether there is time to reply, and nothing was replied yet."""
        found = self.annulment
        return found.state == AnnulmentState.HEARD and found.replied_at is None and self.now < found.reply_ends_at

    @property
    def stage(self) -> str:
        """How far it is: `open`, `waits`, `annulled`, `lifted` or `dropped`."""
        found = self.annulment
        if found.state == AnnulmentState.APPROVED:
            return "lifted" if found.lifted_at else "annulled"
        if found.state == AnnulmentState.DROPPED:
            return "dropped"
        return "open" if self.can_reply else "waits"


def own_annulment(ref: UUID, annulment_id: int) -> Annulment:
    """What is held against one of the resident's purchases. Raises AnnulmentMissing for another's."""
    found = annulment_of(annulment_id)
    if found.resident_ref != ref:
        raise AnnulmentMissing(f"Nothing of number {annulment_id} is held against a purchase.")
    return found


def own_hearing(ref: UUID, annulment_id: int) -> Hearing:
    """The same with its purchase: constantly many queries. Raises AnnulmentMissing for another's."""
    found = own_annulment(ref, annulment_id)
    shop = shop_of(ref, found.sale)
    return Hearing(found, scheme_in(found.tax_year), sale_seen(ref, found.sale), shop, timezone.now())

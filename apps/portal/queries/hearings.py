"""What is held against the resident's own purchases."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from django.core.paginator import Page, Paginator
from django.utils import timezone

from apps.accruals.models import Entry
from apps.accruals.queries.sales import SaleSeen, sale_seen
from apps.accruals.queries.shown import Named, named_tiers, shop_of
from apps.inspections.models import Annulment, AnnulmentState
from apps.inspections.queries.annulments import AnnulmentMissing, annulment_of
from apps.merchants.queries import StoreName
from apps.purchases.following import Key
from apps.refunds.queries.disputes import scheme_in
from apps.schemes.document import Scheme

HEARINGS_A_PAGE: Final = 20


class Standing(NamedTuple):
    """How far it is: `open`, `waits`, `annulled`, `lifted` or `dropped`; the last day to reply."""

    stage: str
    last_day: date


class Listed(NamedTuple):
    """One of a list, and when it was bought, unless the purchase is gone."""

    annulment: Annulment
    stands: Standing
    bought_at: datetime | None


@dataclass(frozen=True, slots=True)
class HearingsPage:
    """A page of what was held against the resident's purchases, the newest first."""

    page: "Page[Annulment]"
    rows: tuple[Listed, ...]


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
    def stands(self) -> Standing:
        """How far it is."""
        return standing_of(self.annulment, self.now)


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


def own_hearings(ref: UUID, *, page: str | None) -> HearingsPage:
    """A page of what was held against the resident's purchases: four queries at most."""
    told = Annulment.objects.filter(resident_ref=ref).select_related("case").order_by("-told_at", "-pk")
    found, now = Paginator(told, HEARINGS_A_PAGE).get_page(page), timezone.now()
    bought = _bought(ref, found.object_list)
    return HearingsPage(found, tuple(Listed(one, standing_of(one, now), bought.get(one.sale)) for one in found))


def standing_of(found: Annulment, now: datetime) -> Standing:
    """How far it is now, as its resident sees it."""
    last_day = timezone.localdate(found.reply_ends_at - timedelta(seconds=1))
    if found.state == AnnulmentState.APPROVED:
        return Standing("lifted" if found.lifted_at else "annulled", last_day)
    if found.state == AnnulmentState.DROPPED:
        return Standing("dropped", last_day)
    can_reply = found.state == AnnulmentState.HEARD and found.replied_at is None and now < found.reply_ends_at
    return Standing("open" if can_reply else "waits", last_day)


def _bought(ref: UUID, annulments: Iterable[Annulment]) -> dict[Key, datetime]:
    """When the purchases were bought that are still there: one query."""
    sales = {one.sale for one in annulments}
    entries = Entry.objects.filter(
        resident_ref=ref, terminal_id__in={sale.terminal_id for sale in sales}, seq__in={sale.seq for sale in sales}
    )
    times = {Key(terminal_id, seq): at for terminal_id, seq, at in entries.values_list("terminal_id", "seq", "at")}
    return {sale: times[sale] for sale in sales & times.keys()}

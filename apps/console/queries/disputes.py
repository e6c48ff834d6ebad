"""Disputes as auditors see them: those that wait, and one with its purchase's history and what it may double."""

from dataclasses import dataclass
from datetime import date
from typing import Final

from django.core.paginator import Page, Paginator
from django.utils import timezone

from apps.accruals.models import UNDECIDED, Dispute
from apps.accruals.queries.sales import Double, Happening, alike, doubles_of
from apps.accruals.queries.shown import Named, named_tiers
from apps.merchants.queries import StoreName, store_names
from apps.refunds.queries.disputes import (
    FILTERS,
    DisputePage,
    Offered,
    disputes_at,
    disputes_by_stage,
    offered_on,
    page_of_dispute,
    scheme_in,
)
from apps.schemes.document import Tier

DISPUTES_A_PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class DisputesPage:
    """A page of disputes at a stage and of a kind (or all), with how many there are at each stage."""

    stage: str
    kind: str
    stages: tuple[tuple[str, int], ...]
    page: "Page[Dispute]"
    today: date

    @property
    def rows(self) -> list[tuple[Dispute, bool]]:
        """Each dispute, and whether the promised day is over."""
        return [(d, d.state in UNDECIDED and d.reply_due_date < self.today) for d in self.page.object_list]


@dataclass(frozen=True, slots=True)
class Examined:
    """A dispute for the officer who decides it: `tiers` are those that the purchase may have had on its day."""

    page: DisputePage
    tiers: list[Tier]
    history: list[tuple[Happening, Named]]
    doubles: list[tuple[Double, StoreName | None]]
    alike: list[Dispute]


def disputes_page(stage: str, kind: str, *, page: str | None) -> DisputesPage:
    """Disputes, those that are due first: three queries."""
    stage = stage if stage in FILTERS else ""
    kind = kind if kind in Dispute.Kind.values else ""
    found = Paginator(disputes_at(stage, kind), DISPUTES_A_PAGE).get_page(page)
    return DisputesPage(stage, kind, tuple(disputes_by_stage().items()), found, timezone.localdate())


def offered_for(dispute: Dispute) -> Offered:
    """The scheme and the tiers of which an officer may grant amounts: none where the purchase is not the resident's."""
    if dispute.kind == Dispute.Kind.NOT_MINE:
        return Offered(scheme_in(dispute.tax_year), [])
    offered = offered_on(timezone.localdate(dispute.bought_at))
    return offered or Offered(scheme_in(dispute.tax_year), [])


def examined(dispute: Dispute) -> Examined:
    """One dispute with all that an officer needs to decide it: constantly many queries."""
    page = page_of_dispute(dispute)
    doubles: list[Double] = []
    if dispute.kind == Dispute.Kind.MISSING:
        total_minor = sum(dispute.amounts.values())
        doubles = doubles_of(dispute.resident_ref, dispute.bought_at, total_minor, besides=dispute.sale)
    shops = store_names({double.terminal_id for double in doubles})
    return Examined(
        page,
        offered_for(dispute).tiers,
        [(one, named_tiers(page.scheme, one.amounts)) for one in (page.sale.history if page.sale else ())],
        [(double, shops.get(double.terminal_id)) for double in doubles],
        alike(dispute) if dispute.kind == Dispute.Kind.MISSING else [],
    )

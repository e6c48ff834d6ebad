"""Cases as auditors see them: a purchase in one, all purchases of a resident, and who may have a case."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.contrib.auth.models import User
from django.utils import timezone

from apps.accruals.queries.sales import Happening, SaleSeen, sale_seen
from apps.accruals.queries.shown import FoundPage, Named, found_page, named_tiers, shop_of
from apps.accruals.searching import Search
from apps.audit.officers import AUDITORS
from apps.inspections.models import Annulment, Case
from apps.inspections.queries.annulments import latest_in, under_way
from apps.merchants.queries import StoreName
from apps.purchases.following import Key
from apps.refunds.queries.disputes import scheme_in
from apps.refunds.queries.purchases import brings
from apps.schemes.document import Scheme
from apps.schemes.models import TaxYear
from apps.schemes.queries import scheme_of


@dataclass(frozen=True, slots=True)
class PurchaseInCase:
    """A resident's purchase, what it brings before limits, and what is held against it: here, or `elsewhere`."""

    case: Case
    resident_ref: UUID
    sale: SaleSeen
    shop: StoreName | None
    scheme: Scheme
    brings_minor: int
    annulment: Annulment | None
    elsewhere: Annulment | None
    now: datetime

    @property
    def left(self) -> Named:
        """What is left of it, by tier."""
        return named_tiers(self.scheme, self.sale.left)

    @property
    def history(self) -> list[tuple[Happening, Named]]:
        """What the shop sent and what was ruled, with amounts by tier."""
        return [(one, named_tiers(self.scheme, one.amounts)) for one in self.sale.history]

    @property
    def can_be_proposed(self) -> bool:
        """Whether the resident was heard: the reply is there, or its time is over."""
        found = self.annulment
        return found is not None and (found.replied_at is not None or self.now >= found.reply_ends_at)

    @property
    def can_be_heard(self) -> bool:
        """Whether the resident can be told what is held against it."""
        return self.sale.is_counted and self.elsewhere is None and self.case.closed_at is None


def purchase_in_case(case: Case, resident_ref: UUID, sale: Key) -> PurchaseInCase | None:
    """A purchase of the resident's, or None where it is not there: constantly many queries."""
    seen = sale_seen(resident_ref, sale)
    if seen is None:
        return None
    return PurchaseInCase(
        case, resident_ref, seen, shop_of(resident_ref, sale), scheme_in(seen.tax_year), brings(resident_ref, sale),
        latest_in(case, sale), under_way(sale), timezone.now(),
    )  # fmt: skip


def purchases_of(resident_ref: UUID, *, page: int) -> FoundPage | None:
    """A page of a resident's purchases in years that are not erased, the newest first; None without such a year."""
    years = list(TaxYear.objects.filter(erased_at=None).order_by("year"))
    if not years:
        return None
    return found_page(resident_ref, Search(), years, scheme=scheme_of(years[-1].scheme_version_id), page=page)


def auditors() -> list[str]:
    """The names of all who can have a case: one query."""
    found = User.objects.filter(is_active=True, groups__name=AUDITORS)
    return list(found.order_by("username").values_list("username", flat=True))

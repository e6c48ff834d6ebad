"""Samples as auditors see them: all of them, one with its items and its conclusion, an item with its purchase."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.core.paginator import Page, Paginator
from django.db.models import Count, Q, QuerySet

from apps.accruals.queries.sales import Happening, SaleSeen, sale_seen
from apps.accruals.queries.shown import Named, named_tiers
from apps.inspections.models import Method, Sample, SampleItem
from apps.inspections.queries.samples import (
    AmountFound,
    Progress,
    RateFound,
    conclusion_of,
    progress_of,
    sample_of,
)
from apps.merchants.models import Merchant
from apps.merchants.queries import StoreName, store_names
from apps.purchases.following import Key
from apps.refunds.models import Refund
from apps.refunds.queries.disputes import scheme_in
from apps.schemes.document import Scheme

SAMPLES_A_PAGE: Final = 50
ITEMS_A_PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class SamplesPage:
    """A page of samples, the newest first, each with how many items are looked at."""

    page: "Page[Sample]"

    @property
    def rows(self) -> list[Sample]:
        """Samples with `done`."""
        return list(self.page.object_list)


@dataclass(frozen=True, slots=True)
class SamplePage:
    """A sample, a page of its items, and what it says once all are looked at."""

    sample: Sample
    scheme: Scheme
    progress: Progress
    items: "Page[SampleItem]"
    shops: dict[int, StoreName]
    merchant: str
    rate: RateFound | None
    amount: AmountFound | None

    @property
    def at_work(self) -> bool:
        """Whether a worker has still to draw it."""
        return self.sample.drawn_at is None and not self.sample.failure

    @property
    def rows(self) -> list[tuple[SampleItem, StoreName | None]]:
        """Each item with its shop. Whose they are is not said: that is asked for, with a purpose."""
        return [(item, self.shops.get(item.terminal_id or 0)) for item in self.items.object_list]


@dataclass(frozen=True, slots=True)
class ItemPage:
    """An item with its purchase or its refund as they stand."""

    item: SampleItem
    scheme: Scheme
    resident_ref: UUID
    shop: StoreName | None
    sale: SaleSeen | None
    history: list[tuple[Happening, Named]]
    refund: Refund | None
    is_last: bool

    @property
    def is_monetary(self) -> bool:
        """Whether a deviation needs the right amount."""
        return self.item.sample.method == Method.MONETARY


def samples_page(*, page: str | None) -> SamplesPage:
    """All samples: two queries."""
    rows: QuerySet[Sample] = Sample.objects.annotate(done=Count("items", filter=~Q(items__result=""))).order_by("-pk")
    return SamplesPage(Paginator(rows, SAMPLES_A_PAGE).get_page(page))


def sample_page(sample_id: int, *, only_open: bool, page: str | None) -> SamplePage:
    """One sample: constantly many queries. Raises SampleMissing."""
    sample = sample_of(sample_id)
    items = sample.items.order_by("position")
    found = Paginator(items.filter(result="") if only_open else items, ITEMS_A_PAGE).get_page(page)
    said = conclusion_of(sample) if sample.drawn_at else None
    merchant = Merchant.objects.filter(pk=sample.filters.get("merchant_id")).values_list("name", flat=True).first()
    return SamplePage(
        sample, scheme_in(sample.tax_year), progress_of(sample), found,
        store_names({item.terminal_id for item in found.object_list if item.terminal_id}), merchant or "",
        said if isinstance(said, RateFound) else None, said if isinstance(said, AmountFound) else None,
    )  # fmt: skip


def item_page(item: SampleItem, resident_ref: UUID) -> ItemPage:
    """An item of a resident's, as it stands: constantly many queries."""
    scheme = scheme_in(item.sample.tax_year)
    is_last = not item.sample.items.filter(result="").exclude(pk=item.pk).exists()
    if item.terminal_id is None or item.seq is None:
        refund = Refund.objects.filter(resident_ref=resident_ref, tax_year=item.sample.tax_year, run=item.run or 0)
        return ItemPage(item, scheme, resident_ref, None, None, [], refund.first(), is_last)
    sale = sale_seen(resident_ref, Key(item.terminal_id, item.seq))
    history = [(one, named_tiers(scheme, one.amounts)) for one in (sale.history if sale else ())]
    shop = store_names([item.terminal_id]).get(item.terminal_id)
    return ItemPage(item, scheme, resident_ref, shop, sale, history, None, is_last)


def next_open(sample_id: int, after: int) -> int | None:
    """The position of the next item that nobody looked at, from the start again after the last."""
    rows = SampleItem.objects.filter(sample_id=sample_id, result="").order_by("position")
    positions = rows.values_list("position", flat=True)
    return positions.filter(position__gt=after).first() or positions.first()

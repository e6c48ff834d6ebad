"""A resident's purchases as the portal and offices show them: with shops, and in a scheme's words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.core.paginator import Page, Paginator
from django.utils import timezone

from apps.accruals.answers import CONFIRMED
from apps.accruals.models import TEST_RUN, Entry
from apps.accruals.queries import HeldPurchase, entries_of_resident, held_of_resident, number_held
from apps.accruals.queries.sales import shops_told
from apps.merchants.enrolment import OFFICE_NAME
from apps.merchants.queries import StoreName, store_names
from apps.purchases.following import Key
from apps.purchases.rulings import OFFICE
from apps.schemes.document import Scheme, Words
from apps.schemes.models import TaxYear
from apps.schemes.queries import scheme_of, started_years, tax_year

HELD_A_PAGE: Final = 50
PURCHASES_A_PAGE: Final = 50
ENTERED_BY_OFFICE: Final = StoreName(OFFICE_NAME, OFFICE_NAME)


@dataclass(frozen=True, slots=True)
class HeldRow:
    """A purchase with its shop and its amounts in minor units of its year's scheme."""

    purchase: HeldPurchase
    shop: StoreName | None
    scheme: Scheme
    tiers: tuple[tuple[Words, int], ...]

    @property
    def total_minor(self) -> int:
        """All tiers together."""
        return sum(amount for _, amount in self.tiers)

    @property
    def name(self) -> str:
        """What a form names the purchase by."""
        return f"{self.purchase.terminal_id}-{self.purchase.seq}"

    @property
    def is_confirmed(self) -> bool:
        """Whether the resident said that it is theirs."""
        return self.purchase.answer == CONFIRMED


@dataclass(frozen=True, slots=True)
class HeldPage:
    """A page of purchases, the newest first, and how many of all wait for an answer."""

    rows: list[HeldRow]
    page: "Page[int]"
    waiting: int


@dataclass(frozen=True, slots=True)
class PurchaseRow:
    """A counted purchase, or what was changed of one: `shop` is None where the terminal is not known any more."""

    tax_year: int
    kind: str
    at: datetime
    shop: StoreName | None
    scheme: Scheme
    tiers: tuple[tuple[Words, int], ...]
    terminal_id: int
    seq: int
    can_be_withdrawn: bool

    @property
    def total_minor(self) -> int:
        """All tiers together."""
        return sum(amount for _, amount in self.tiers)


@dataclass(frozen=True, slots=True)
class CountedPage:
    """A page of a year's counted purchases, the newest first."""

    rows: tuple[PurchaseRow, ...]
    page: "Page[Entry]"


def held_page(resident_ref: UUID, *, page: str | None) -> HeldPage:
    """The resident's purchases that were held."""
    found = Paginator(range(number_held(resident_ref)), HELD_A_PAGE).get_page(page)
    held = held_of_resident(resident_ref, first=max(found.start_index() - 1, 0), most=HELD_A_PAGE)
    return HeldPage(_held_rows(held), found, number_held(resident_ref, unanswered=True))


def counted_page(resident_ref: UUID, year: TaxYear, *, page: str | None) -> CountedPage:
    """The resident's purchases of a started year: three queries."""
    found = Paginator(entries_of_resident(resident_ref, year.year), PURCHASES_A_PAGE).get_page(page)
    return CountedPage(_counted_rows(list(found.object_list), year), found)


def sale_of_resident(resident_ref: UUID, terminal_id: int, seq: int) -> PurchaseRow | None:
    """One counted purchase as it was sold, or None when the resident has no such one."""
    sales = Entry.objects.filter(resident_ref=resident_ref, terminal_id=terminal_id, seq=seq, kind="sale")
    entry = sales.first()
    return _counted_rows([entry], tax_year(entry.tax_year))[0] if entry else None


def shop_of(resident_ref: UUID, sale: Key) -> StoreName | None:
    """The shop of one sale of a resident's; of one that the office entered, as the resident named it."""
    shop = store_names([sale.terminal_id]).get(sale.terminal_id)
    told = shops_told(resident_ref, [sale]).get(sale) if shop == ENTERED_BY_OFFICE else None
    return StoreName(told, told) if told else shop


def _held_rows(held: Sequence[HeldPurchase]) -> list[HeldRow]:
    shops = store_names({purchase.terminal_id for purchase in held})
    schemes = {year.year: scheme_of(year.scheme_version_id) for year in started_years()}
    return [
        _held_row(purchase, shops.get(purchase.terminal_id), schemes[timezone.localtime(purchase.at).year])
        for purchase in held
    ]


def _held_row(purchase: HeldPurchase, shop: StoreName | None, scheme: Scheme) -> HeldRow:
    tiers = [(tier.name, purchase.amounts[tier.code]) for tier in scheme.tiers if purchase.amounts.get(tier.code)]
    return HeldRow(purchase, shop, scheme, tuple(tiers))


def _counted_rows(entries: Sequence[Entry], year: TaxYear) -> tuple[PurchaseRow, ...]:
    shops = _shops(entries)
    scheme = scheme_of(year.scheme_version_id)
    names = {tier.code: tier.name for tier in scheme.tiers}
    return tuple(
        PurchaseRow(
            entry.tax_year,
            entry.kind,
            entry.at,
            shops.get(_sale_of(entry)),
            scheme,
            tuple((names[t], amount) for t, amount in zip(entry.tiers, entry.amounts_minor, strict=True)),
            terminal_id=entry.terminal_id,
            seq=entry.seq,
            can_be_withdrawn=entry.kind == "sale" and entry.run in (TEST_RUN, year.open_run),
        )
        for entry in entries
    )


def _shops(entries: Sequence[Entry]) -> dict[Key, StoreName]:
    """The shop of each entry's sale: one query, and one more where the office entered a missing purchase."""
    sales = {_sale_of(entry): entry for entry in entries}
    names = store_names({_shop_of(entry) for entry in entries})
    shops = {key: names[_shop_of(entry)] for key, entry in sales.items() if _shop_of(entry) in names}
    entered = [key for key, shop in shops.items() if shop == ENTERED_BY_OFFICE]
    if entered:
        told = shops_told(entries[0].resident_ref, entered)
        shops |= {key: StoreName(shop, shop) for key, shop in told.items()}
    return shops


def _sale_of(entry: Entry) -> Key:
    """What names the sale that an entry is about."""
    if entry.of_terminal_id is None or entry.of_seq is None:
        return Key(entry.terminal_id, entry.seq)
    return Key(entry.of_terminal_id, entry.of_seq)


def _shop_of(entry: Entry) -> int:
    """The terminal of a record, or for a ruling of the refund office that of its sale."""
    is_ruling = entry.terminal_id == OFFICE and entry.of_terminal_id is not None
    return entry.of_terminal_id if is_ruling and entry.of_terminal_id is not None else entry.terminal_id

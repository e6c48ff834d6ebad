"""A resident's purchases as the portal and offices show them: with shops, and in a scheme's words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Final
from uuid import UUID

from django.core.paginator import Page, Paginator
from django.db.models import SmallIntegerField, UUIDField
from django.utils import timezone

from apps.accruals.answers import CONFIRMED
from apps.accruals.models import TEST_RUN, Entry
from apps.accruals.queries import HeldPurchase, entries_of_resident, held_of_resident, number_held
from apps.accruals.queries.finding import FOUND_A_PAGE, FoundPurchase, find_purchases
from apps.accruals.queries.sales import shops_told
from apps.accruals.searching import Search
from apps.kernel.database import Ask, Place, Row, Statement, sql_of, trip
from apps.merchants.enrolment import OFFICE_NAME
from apps.merchants.queries import StoreName, store_names
from apps.purchases.following import Key
from apps.purchases.rulings import OFFICE
from apps.schemes.document import Scheme, Words
from apps.schemes.models import TaxYear
from apps.schemes.queries import scheme_of, started_years, tax_year

HELD_A_PAGE: Final = 50
PURCHASES_A_PAGE: Final = 50
LOOKED_AT_FIRST: Final = 20  # entries, for the newest purchases: each is a page of the table of its own
LOOKED_AT: Final = 60  # where most of the first were given back
ENTERED_BY_OFFICE: Final = StoreName(OFFICE_NAME, OFFICE_NAME)
SaleAt = tuple[datetime, int, int]  # of a sale: its time, its terminal, its number there
Named = tuple[tuple[Words, int], ...]  # amounts in minor units with the names of their tiers


@dataclass(frozen=True, slots=True)
class HeldRow:
    """A purchase with its shop and its amounts in minor units of its year's scheme."""

    purchase: HeldPurchase
    shop: StoreName | None
    scheme: Scheme
    tiers: Named

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
    tiers: Named
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


@dataclass(frozen=True, slots=True)
class FoundRow:
    """A purchase as it stands, with what is left of it by tier, in minor units of its year's scheme."""

    purchase: FoundPurchase
    shop: StoreName | None
    scheme: Scheme
    tiers: Named


@dataclass(frozen=True, slots=True)
class FoundPage:
    """A page of purchases, the newest first; `sum_minor` is of all that were found, under `scheme`'s currency."""

    rows: tuple[FoundRow, ...]
    page: "Page[int]"
    sum_minor: int
    scheme: Scheme


@dataclass(frozen=True, slots=True)
class LatestRow:
    """A counted purchase of which something is left, with its sum in minor units."""

    terminal_id: int
    seq: int
    at: datetime
    shop: StoreName | None
    total_minor: int


def found_page(resident_ref: UUID, search: Search, years: Sequence[TaxYear], *, scheme: Scheme, page: int) -> FoundPage:
    """What a search finds in these years, none of them erased: what `find_purchases` takes, and two for shops at most.

    The sum is written as under `scheme`.
    """
    found = find_purchases(resident_ref, search, years=[year.year for year in years], page=page)
    shops = shops_of(resident_ref, [Key(row.terminal_id, row.seq) for row in found.rows])
    schemes = {year.year: scheme_of(year.scheme_version_id) for year in years}
    rows = tuple(
        FoundRow(
            row, shops.get(Key(row.terminal_id, row.seq)), schemes[row.tax_year], _named(schemes[row.tax_year], row)
        )
        for row in found.rows
    )
    pages = Paginator(range(found.number), FOUND_A_PAGE)
    return FoundPage(rows, pages.get_page(page), found.sum_minor, scheme)


def _named(scheme: Scheme, row: FoundPurchase) -> Named:
    amounts = dict(zip(row.tiers, row.amounts_minor, strict=True))
    return named_tiers(scheme, amounts)


def named_tiers(scheme: Scheme, amounts: Mapping[str, int]) -> Named:
    """Amounts by tier with the tiers' names, in the scheme's order; a tier that it does not know keeps its code."""
    known = [(tier.name, amounts[tier.code]) for tier in scheme.tiers if amounts.get(tier.code)]
    codes = {tier.code for tier in scheme.tiers}
    return (*known, *((Words(code, code), amount) for code, amount in amounts.items() if code not in codes))


def ask_newest(resident_ref: UUID, year: int, *, looked_at: int = LOOKED_AT_FIRST) -> Ask:
    """The year's newest entries, for `latest_purchases`."""
    return Ask(_newest_entries(looked_at), (str(resident_ref), year))


def latest_purchases(resident_ref: UUID, year: int, rows: Sequence[Row], *, most: int) -> list[LatestRow]:
    """The year's newest purchases of which something is left, from the rows of `ask_newest`.

    One query for shops, one more where the office entered some, one where of the first entries not enough is left.
    """
    sums = _sums(rows, is_all=len(rows) < LOOKED_AT_FIRST)
    if sum(map(bool, sums.values())) < most and len(rows) == LOOKED_AT_FIRST:
        (rows,) = trip(ask_newest(resident_ref, year, looked_at=LOOKED_AT))
        sums = _sums(rows, is_all=len(rows) < LOOKED_AT)
    newest = [place for place in sums if sums[place]][:most]
    shops = shops_of(resident_ref, [Key(terminal_id, seq) for _, terminal_id, seq in newest]) if newest else {}
    return [
        LatestRow(terminal_id, seq, at, shops.get(Key(terminal_id, seq)), sums[at, terminal_id, seq])
        for at, terminal_id, seq in newest
    ]


@cache
def _newest_entries(most: int) -> Statement:
    fields = ("terminal_id", "seq", "of_terminal_id", "of_seq", "at", "amounts_minor")
    rows = entries_of_resident(Place(1, UUIDField()), Place(2, SmallIntegerField())).values_list(*fields)
    return Statement(sql_of(rows[:most]))


def _sums(rows: Sequence[Row], *, is_all: bool) -> dict[SaleAt, int]:
    """What is left of each sale in rows of entries; unless they are all, more may follow of the last one."""
    sums: dict[SaleAt, int] = {}
    for terminal_id, seq, of_terminal_id, of_seq, at, amounts in rows:
        place = at, of_terminal_id or terminal_id, of_seq or seq
        sums[place] = sums.get(place, 0) + sum(amounts)
    return sums if is_all else {place: left for place, left in sums.items() if place[0] > rows[-1][4]}


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
    return shops_of(resident_ref, [sale]).get(sale)


def shops_of(resident_ref: UUID, sales: Sequence[Key]) -> dict[Key, StoreName]:
    """The shops of sales of a resident's, in the same way: one query, one more where the office entered one."""
    names = store_names({sale.terminal_id for sale in sales})
    shops = {sale: names[sale.terminal_id] for sale in sales if sale.terminal_id in names}
    return shops | _told(resident_ref, shops)


def _told(resident_ref: UUID, shops: Mapping[Key, StoreName]) -> dict[Key, StoreName]:
    """The shops that the resident named of purchases that the office entered."""
    entered = [sale for sale, shop in shops.items() if shop == ENTERED_BY_OFFICE]
    told = shops_told(resident_ref, entered) if entered else {}
    return {sale: StoreName(shop, shop) for sale, shop in told.items()}


def _held_rows(held: Sequence[HeldPurchase]) -> list[HeldRow]:
    shops = store_names({purchase.terminal_id for purchase in held})
    schemes = {year.year: scheme_of(year.scheme_version_id) for year in started_years()}
    return [
        _held_row(purchase, shops.get(purchase.terminal_id), schemes[timezone.localtime(purchase.at).year])
        for purchase in held
    ]


def _held_row(purchase: HeldPurchase, shop: StoreName | None, scheme: Scheme) -> HeldRow:
    return HeldRow(purchase, shop, scheme, named_tiers(scheme, purchase.amounts))


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
    return shops | _told(entries[0].resident_ref, shops) if shops else {}


def _sale_of(entry: Entry) -> Key:
    """What names the sale that an entry is about."""
    if entry.of_terminal_id is None or entry.of_seq is None:
        return Key(entry.terminal_id, entry.seq)
    return Key(entry.of_terminal_id, entry.of_seq)


def _shop_of(entry: Entry) -> int:
    """The terminal of a record, or for a ruling of the refund office that of its sale."""
    is_ruling = entry.terminal_id == OFFICE and entry.of_terminal_id is not None
    return entry.of_terminal_id if is_ruling and entry.of_terminal_id is not None else entry.terminal_id

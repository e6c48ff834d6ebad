"""Merchants as auditors see them: a list by score or sales, one with its year, and the amounts of a year's sales."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator

from apps.console.charts import ColumnChart, PairChart, column_chart, pair_chart
from apps.inspections.completeness import Share, shares
from apps.inspections.digits import DigitTest, digit_test
from apps.inspections.models import MerchantYear
from apps.inspections.queries.declarations import Difference, Kinds, differences, newest_declarations
from apps.inspections.queries.merchants import (
    MerchantSeen,
    Mix,
    Stratum,
    digit_counts,
    merchant_seen,
    strata,
    years_of_merchant,
)
from apps.kernel.errors import KanpuError
from apps.merchants.models import Merchant, Mode
from apps.refunds.queries.disputes import scheme_in
from apps.schemes.document import Scheme, Words
from apps.schemes.queries import started_years

MERCHANTS_A_PAGE: Final = 50
SORTS: Final = {
    "score": ("score_permille", "merchant_id"),
    "sales": ("-sales_minor", "merchant_id"),
    "missing": ("-numbers_missing", "merchant_id"),
    "rejected": ("-rejected", "merchant_id"),
}
ALL_ABOVE: Final = Kinds(above=True, below=True, least_yen=1)


class MerchantMissing(KanpuError):
    """There is no such merchant, or nothing was counted of it in the year."""

    code = "merchant_missing"


@dataclass(frozen=True, slots=True)
class MerchantsPage:
    """A page of merchants of a year, by a key of SORTS."""

    year: int
    years: list[int]
    sort: str
    scheme: Scheme
    page: "Page[MerchantYear]"
    names: dict[int, str]

    @property
    def refreshed_at(self) -> datetime | None:
        """When the year was counted."""
        return self.page.object_list[0].refreshed_at if self.page.object_list else None

    @property
    def asked(self) -> str:
        """What the address asks for, but for the page."""
        return urlencode({"year": self.year, "sort": self.sort})

    @property
    def rows(self) -> list[tuple[str, MerchantYear]]:
        """Each with its name."""
        return [(self.names.get(row.merchant_id, "?"), row) for row in self.page.object_list]


@dataclass(frozen=True, slots=True)
class Digits:
    """A test of first digits with its chart."""

    places: int
    test: DigitTest
    pairs: PairChart | None
    columns: ColumnChart | None


@dataclass(frozen=True, slots=True)
class AmountsPage:
    """The amounts of a merchant's sales of a year, or of all live merchants': first digits and classes."""

    year: int
    years: list[int]
    scheme: Scheme
    digits: list[Digits]
    strata: list[Stratum]
    chart: PairChart


@dataclass(frozen=True, slots=True)
class MerchantPage:
    """One merchant's year, its score worked out, its mix beside that of others, its returns, its amounts."""

    seen: MerchantSeen
    scheme: Scheme
    years: list[int]
    shares: tuple[Share, Share, Share]
    mix: list[tuple[Words | str, Mix]]
    mix_chart: PairChart
    months_chart: ColumnChart
    differences: list[Difference]
    amounts: AmountsPage


def chosen_year(text: str) -> tuple[int, list[int]]:
    """The year asked for, by default the last that was counted; and all started years, the newest first."""
    years = [row.year for row in reversed(started_years())]
    if text.isdecimal() and text.isascii() and len(text) <= 4 and int(text) in years:
        return int(text), years
    last = MerchantYear.objects.filter(records__gt=0).order_by("-tax_year").values_list("tax_year", flat=True).first()
    if not years:
        raise MerchantMissing("No tax year was started.")
    return last or years[0], years


def merchants_page(*, year: str, sort: str, page: str | None) -> MerchantsPage:
    """Live merchants of a year: six queries, none of which asks purchases. Raises MerchantMissing."""
    chosen, years = chosen_year(year)
    sort = sort if sort in SORTS else "score"
    live = Merchant.objects.filter(mode=Mode.LIVE).values("pk")
    rows = MerchantYear.objects.filter(tax_year=chosen, merchant_id__in=live).order_by(*SORTS[sort])
    found = Paginator(rows, MERCHANTS_A_PAGE).get_page(page)
    names = Merchant.objects.filter(pk__in=[row.merchant_id for row in found.object_list])
    return MerchantsPage(chosen, years, sort, scheme_in(chosen), found, dict(names.values_list("pk", "name")))


def merchant_page(merchant_id: int, *, year: str) -> MerchantPage:
    """One merchant's year: constantly many queries. Raises MerchantMissing."""
    years = years_of_merchant(merchant_id)
    chosen = next((one for one in years if str(one) == year), years[0] if years else 0)
    seen = merchant_seen(merchant_id, chosen)
    if seen is None:
        raise MerchantMissing("There is no such merchant, or nothing was counted of it yet.")
    scheme = scheme_in(chosen)
    names = {tier.code: tier.name for tier in scheme.tiers}
    declared = [one for one in newest_declarations(merchant_id=merchant_id) if one.from_date.year == chosen]
    return MerchantPage(
        seen, scheme, years, shares(seen.counted),
        [(names.get(mix.tier, mix.tier), mix) for mix in seen.mix],
        pair_chart([(mix.permille, mix.others_permille) for mix in seen.mix]),
        column_chart(_by_month(seen)),
        differences(declared, ALL_ABOVE),
        amounts_page(merchant_id, chosen, years),
    )  # fmt: skip


def _by_month(seen: MerchantSeen) -> list[tuple[int, int]]:
    sold = {month.month: month.sales_minor for month in seen.months}
    return [(month, sold.get(month, 0)) for month in range(1, 13)]


def amounts_page(merchant_id: int | None, year: int, years: list[int]) -> AmountsPage:
    """The amounts of a merchant's sales of a year, or with None of all: three queries of counts."""
    classes = strata(merchant_id, year)
    tests = [_digits(merchant_id, year, places) for places in (1, 2)]
    chart = pair_chart([(one.sales_permille, one.amount_permille) for one in classes])
    return AmountsPage(year, years, scheme_in(year), [test for test in tests if test], classes, chart)


def _digits(merchant_id: int | None, year: int, places: int) -> Digits | None:
    test = digit_test(digit_counts(merchant_id, year, places), 1 if places == 1 else 2)
    if test is None:
        return None
    expected = [int(row.expected) for row in test.rows]
    if places == 1:
        return Digits(
            1, test, pair_chart([(row.amounts, by) for row, by in zip(test.rows, expected, strict=True)]), None
        )
    return Digits(2, test, None, column_chart([(row.digits, row.amounts) for row in test.rows], expected))

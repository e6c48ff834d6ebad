"""What was counted of merchants: a year of each, its months, and the amounts of its sales. No query asks purchases."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

from django.db import connection
from django.db.models import Q, QuerySet, Sum

from apps.inspections.completeness import Counted
from apps.inspections.models import ALL, AmountCount, MerchantMonth, MerchantYear
from apps.merchants.models import Merchant

SUMS: Final = (
    "records", "late", "closings_agree", "closings_differ", "closings_open", "closings_missing", "sales",
    "sales_minor", "returns", "rejected",
)  # fmt: skip
TIERS_OF_OTHERS: Final = """
SELECT tier, sum(amount)::int8 FROM (
    SELECT key AS tier, value::int8 AS amount FROM inspections_merchantmonth m
    JOIN merchants_merchant o ON o.id = m.merchant_id, jsonb_each_text(m.tiers)
    WHERE m.tax_year = %s AND m.merchant_id <> %s AND o.mode = %s
        AND (cardinality(%s::int8[]) = 0 OR m.merchant_id = ANY(%s::int8[]))) sold
GROUP BY tier
"""
CLASSES: Final = (0, 100, 500, 1_000, 3_000, 5_000, 10_000, 50_000, 100_000)  # yen, from which a class of amounts goes


class Mix(NamedTuple):
    """How much was sold of a tier, minor units, and its share in thousandths; `others_permille` that of the others."""

    tier: str
    amount_minor: int
    permille: int
    others_permille: int


class Stratum(NamedTuple):
    """The sales whose amounts are from `least_minor` up to below the next class: how many, how much, in thousandths."""

    least_minor: int
    below_minor: int | None
    sales: int
    amount_minor: int
    sales_permille: int
    amount_permille: int


@dataclass(frozen=True, slots=True)
class MerchantSeen:
    """A merchant's year for its page; `months` are those in which something was sent.

    The mix of tiers and the rate of returns stand beside those of `others`: merchants of the same trade where the
    merchant has one and others have it, otherwise all.
    """

    merchant: Merchant
    year: MerchantYear
    months: list[MerchantMonth]
    mix: list[Mix]
    returns_permille: int
    others_returns_permille: int
    is_by_trade: bool
    rejections: list[tuple[str, int]]

    @property
    def counted(self) -> Counted:
        """From which the score is made."""
        return counted_of(self.year)


def added_up(year: int) -> dict[int, dict[str, int]]:
    """The sums of each merchant's months: one query."""
    rows = MerchantMonth.objects.filter(tax_year=year).order_by().values_list("merchant_id")
    return {pk: dict(zip(SUMS, sums, strict=True)) for pk, *sums in rows.annotate(*map(Sum, SUMS))}


def counted_of(row: MerchantYear) -> Counted:
    """From which a year's score is made."""
    return Counted(*(getattr(row, name) for name in Counted._fields))


def years_of_merchant(merchant_id: int) -> list[int]:
    """The years of which something was counted of a merchant, the newest first: one query."""
    rows = MerchantYear.objects.filter(merchant_id=merchant_id).order_by("-tax_year")
    return list(rows.values_list("tax_year", flat=True))


def year_of_merchant(merchant_id: int, year: int) -> tuple[MerchantYear, list[MerchantMonth]] | None:
    """What was counted of a merchant's year, with its months, or None: two queries."""
    row = MerchantYear.objects.filter(merchant_id=merchant_id, tax_year=year).first()
    if row is None:
        return None
    return row, list(MerchantMonth.objects.filter(merchant_id=merchant_id, tax_year=year).order_by("month"))


def merchant_seen(merchant_id: int, year: int) -> MerchantSeen | None:
    """A merchant's year, or None while nothing was counted of it: five queries."""
    merchant = Merchant.objects.filter(pk=merchant_id).first()
    counted = year_of_merchant(merchant_id, year)
    if merchant is None or counted is None:
        return None
    row, months = counted
    others = _others(merchant, year)
    tiers, rejections = Counter[str](), Counter[str]()
    for month in months:
        tiers.update(month.tiers)
        rejections.update(month.rejections)
    return MerchantSeen(
        merchant, row, months, _mix(tiers, others.tiers), _permille(row.returns, row.sales),
        _permille(others.returns, others.sales), others.is_by_trade, rejections.most_common(),
    )  # fmt: skip


class _Others(NamedTuple):
    tiers: Mapping[str, int]
    sales: int
    returns: int
    is_by_trade: bool


def _others(merchant: Merchant, year: int) -> _Others:
    """What the merchants of its trade sold, all but itself; of its mode where it has none, or is alone in it."""
    alike = Merchant.objects.filter(mode=merchant.mode).exclude(pk=merchant.pk)
    same = list(alike.filter(trade=merchant.trade).values_list("pk", flat=True)) if merchant.trade else []
    of = Q(merchant_id__in=same) if same else Q(merchant_id__in=alike.values("pk"))
    tiers = _tiers(year, same, merchant)
    sums = MerchantYear.objects.filter(of, tax_year=year).aggregate(sales=Sum("sales"), returns=Sum("returns"))
    return _Others(tiers, sums["sales"] or 0, sums["returns"] or 0, bool(same))


def _tiers(year: int, same: list[int], merchant: Merchant) -> Mapping[str, int]:
    """The others' sales by tier: one query over their months."""
    with connection.cursor() as cursor:
        cursor.execute(TIERS_OF_OTHERS, [year, merchant.pk, merchant.mode, same, same])
        return dict(cursor.fetchall())


def _mix(tiers: Mapping[str, int], others: Mapping[str, int]) -> list[Mix]:
    total, of_others = sum(tiers.values()), sum(others.values())
    return [
        Mix(tier, tiers.get(tier, 0), _permille(tiers.get(tier, 0), total), _permille(others.get(tier, 0), of_others))
        for tier in sorted({*tiers, *others})
    ]


def _permille(part: int, whole: int) -> int:
    return (2000 * part + whole) // (2 * whole) if whole else 0


def digit_counts(merchant_id: int | None, year: int, places: int) -> dict[int, int]:
    """Sales by the first one or two digits of their amounts, of a merchant or of all live ones: one query."""
    counts = Counter[int]()
    rows = _amounts(merchant_id, year).values_list("first_digits").annotate(count=Sum("sales"))
    if places == 2:
        rows = rows.filter(digits__gte=2)
    for first_digits, count in rows:
        counts[first_digits if places == 2 or first_digits < 10 else first_digits // 10] += count
    return dict(counts)


def strata(merchant_id: int | None, year: int) -> list[Stratum]:
    """Sales by classes of their amounts, of a merchant or of all live ones: one query."""
    sums = {least: [0, 0] for least in CLASSES}
    rows = _amounts(merchant_id, year).values_list("digits", "first_digits")
    for digits, first_digits, sales, amount in rows.annotate(count=Sum("sales"), sum=Sum("amount_minor")):
        least = first_digits if digits == 1 else first_digits * 10 ** (digits - 2)
        found = sums[max(bound for bound in CLASSES if bound <= least)]
        found[0] += sales
        found[1] += amount
    sales, total = (sum(pair[place] for pair in sums.values()) for place in (0, 1))
    below = dict(pairwise(CLASSES))
    return [
        Stratum(least, below.get(least), pair[0], pair[1], _permille(pair[0], sales), _permille(pair[1], total))
        for least, pair in sums.items()
    ]


def _amounts(merchant_id: int | None, year: int) -> "QuerySet[AmountCount]":
    return AmountCount.objects.filter(tax_year=year, merchant_id=ALL if merchant_id is None else merchant_id)

"""What merchants declared beside what their tills' closings add up to, largest differences first."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from django.db.models import Q

from apps.inspections.declared import Compared, TierTax, compare, months_of
from apps.inspections.models import Declaration, MerchantMonth
from apps.schemes.models import TaxYear
from apps.schemes.queries import scheme_of
from apps.schemes.rates import rate_on

Reported = dict[tuple[int, int], dict[str, int]]  # (year, month): minor units by tier


@dataclass(frozen=True, slots=True)
class Difference:
    """A rate of a merchant's return beside what was reported; the closings' counts say how far to trust it."""

    declaration: Declaration
    compared: Compared
    closings_missing: int
    closings_open: int


class Kinds(NamedTuple):
    """Which differences to list: `above` reported above declared, `below` the other way; at least so much."""

    above: bool
    below: bool
    least_yen: int


def newest_declarations(*, year: int | None = None, merchant_id: int | None = None) -> list[Declaration]:
    """The newest version of each period that begins in a year, or of a merchant's: one query."""
    found = Declaration.objects.select_related("merchant")
    if year is not None:
        found = found.filter(from_date__range=(date(year, 1, 1), date(year, 12, 31)))
    if merchant_id is not None:
        found = found.filter(merchant_id=merchant_id)
    order = ("merchant_id", "from_date", "to_date")
    return list(found.order_by(*order, "-version").distinct(*order))


def differences(declarations: Sequence[Declaration], kinds: Kinds) -> list[Difference]:
    """Their differences, the largest first, those above what was declared before those below: two queries."""
    schemes = dict(TaxYear.objects.values_list("year", "scheme_version_id"))
    months = _months(declarations)
    found = [one for declaration in declarations for one in _of(declaration, months, schemes)]
    wanted = [one for one in found if _is_wanted(one.compared, kinds)]
    return sorted(wanted, key=lambda one: (-one.compared.difference_yen if one.compared.difference_yen > 0 else 1,
                                           one.compared.difference_yen, one.declaration.pk))  # fmt: skip


def _is_wanted(compared: Compared, kinds: Kinds) -> bool:
    by = compared.difference_yen
    return abs(by) >= max(kinds.least_yen, 1) and (kinds.above if by > 0 else kinds.below)


def _months(declarations: Sequence[Declaration]) -> dict[int, dict[tuple[int, int], MerchantMonth]]:
    """What was counted of these merchants in the years of their returns."""
    years = {year for one in declarations for year in range(one.from_date.year, one.to_date.year + 1)}
    merchants = {one.merchant_id for one in declarations}
    found: dict[int, dict[tuple[int, int], MerchantMonth]] = {}
    rows = MerchantMonth.objects.filter(Q(tax_year__in=years), merchant_id__in=merchants)
    for row in rows.defer("tiers", "rejections"):
        found.setdefault(row.merchant_id, {})[row.tax_year, row.month] = row
    return found


def _of(
    declaration: Declaration, months: dict[int, dict[tuple[int, int], MerchantMonth]], schemes: dict[int, int]
) -> Iterable[Difference]:
    own = months.get(declaration.merchant_id, {})
    rows = [own[month] for month in months_of(declaration.from_date, declaration.to_date) if month in own]
    reported: dict[tuple[str, TierTax], int] = {}
    for row in rows:
        for tier, amount in row.reported.items():
            key = (tier, _tax(schemes[row.tax_year], tier, row.tax_year, row.month))
            reported[key] = reported.get(key, 0) + amount
    missing, unsure = sum(row.closings_missing for row in rows), sum(row.closings_open for row in rows)
    return [Difference(declaration, compared, missing, unsure) for compared in compare(declaration.sales, reported)]


@lru_cache(maxsize=4096)
def _tax(scheme_version_id: int, code: str, year: int, month: int) -> TierTax:
    """How a tier was taxed on the first day of a month; a tier that the scheme does not know, as everything is."""
    scheme, day = scheme_of(scheme_version_id), date(year, month, 1)
    tier = next((tier for tier in scheme.tiers if tier.code == code), None)
    collected = rate_on((tier.collected if tier else None) or scheme.collected, day)
    rate = rate_on(tier.rates, day) if tier else None
    assert collected is not None  # a scheme's years lie within its rates  # noqa: S101
    return TierTax(collected, rate if rate is not None else collected)

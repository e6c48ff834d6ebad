"""Merchants' consumption-tax returns of the year: of some that declare less than their tills reported."""

from datetime import date
from typing import Final

from django.utils import timezone

from apps.inspections.models import Declaration
from apps.inspections.operations.declaring import import_declarations
from apps.inspections.operations.refreshing import refresh_year
from apps.inspections.queries.declarations import Kinds, differences
from apps.merchants.models import Merchant
from apps.simulator import cast
from apps.simulator.baskets import YEAR
from apps.simulator.demo import DemoFailed
from apps.simulator.frauds.acts import Year

RULE: Final = "reported_above_declared"
FIRST, LAST, TOO_EARLY = date(YEAR, 1, 1), date(YEAR, 12, 31), date(YEAR, 12, 5)
FRAUDS: Final = (40, 75, 90, 96, 99)  # per cent of what the tills reported
HONEST: Final = (
    ("declares all", 100, LAST),
    ("sells by post, too", 130, LAST),
    ("a period that ends early", 93, TOO_EARLY),
)
HEAD: Final = "registration_number,from,to,sales_at_8,sales_at_10"


def number_of(merchant: str) -> str:
    """The registration number of a merchant of the play."""
    return f"T90000000000{merchant[-2:]}"


def plant_declared(year: Year) -> None:
    """Returns of the first merchants."""
    names = iter(sorted({shop.merchant for shop in year.shops.values() if shop.merchant.startswith("Merchant")}))
    for percent in FRAUDS:
        year.plant(RULE, f"declares {percent} %", merchant=next(names))
    for words, _, _ in HONEST:
        year.plant(RULE, words, merchant=next(names), is_fraud=False)


def declare(year: Year) -> None:
    """Import the returns, when all is counted. Raises DemoFailed."""
    refresh_year(YEAR, now=timezone.now())
    shares = [(percent, LAST) for percent in FRAUDS] + [(percent, last) for _, percent, last in HONEST]
    planted = [one.merchant for one in year.planted if one.rule == RULE]
    rows = [_row(name, percent, last) for name, (percent, last) in zip(planted, shares, strict=True)]
    done = import_declarations("\n".join([HEAD, *rows]).encode(), at=timezone.now(), actor=cast.ACTOR)
    if done.new != len(rows):
        raise DemoFailed(f"Of {len(rows)} returns {done.new} were taken: {done.defects}")


def _row(name: str, percent: int, last: date) -> str:
    merchant = Merchant.objects.get(name=name)
    nothing = Declaration(merchant=merchant, from_date=FIRST, to_date=LAST, sales={"8": 0, "10": 0})
    found = {one.compared.rate: one.compared.reported_yen for one in differences([nothing], Kinds(True, True, 0))}
    sales = [found.get(rate, 0) * percent // 100 for rate in ("8", "10")]
    return ",".join([merchant.registration_number, FIRST.isoformat(), last.isoformat(), *map(str, sales)])

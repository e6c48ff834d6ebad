"""From entries to what each resident spent and what the purchases brought: one pass over the files.

Makes the table `spend`: resident_ref, month (the first of those summed), entries, spend_0 … per tier of the scheme in
its order, brought (numerators over the plan's denominator), purchases (with something left; 0 where nobody asks).
"""

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Final

import duckdb

from apps.refunds.verification.errors import EntriesInvalid
from apps.refunds.verification.plan import Plan, by_month, rounded, text
from apps.schemes.document import PurchaseRule

NO_FILES: Final = """(SELECT NULL::UUID AS resident_ref, NULL::TIMESTAMP AS sold_at, NULL::INTEGER AS sale_terminal_id,
    NULL::INTEGER AS sale_seq, NULL::VARCHAR[] AS tiers, NULL::BIGINT[] AS amounts_minor WHERE false)"""
ALL_YEAR: Final = "1::UTINYINT"
PURCHASE: Final = "sale_terminal_id, sale_seq, sold_at"


def sum_entries(duck: duckdb.DuckDBPyConnection, files: Sequence[Path], plan: Plan) -> None:
    """Make the table `spend` from the files. Raises EntriesInvalid."""
    source = _source(files, plan)
    _check_times(duck, source, plan)
    entries = f"SELECT {_columns(plan)} FROM {source}"
    sums = ", ".join(
        ["count(*) AS entries", _unplaced(plan)]
        + [f"coalesce(sum(amount_{i}), 0)::HUGEINT AS spend_{i}" for i in range(len(plan.shares))]
    )
    unit = ", ".join(
        ["resident_ref", *(["month"] if len(plan.firsts) > 1 else []), *([PURCHASE] if plan.by_purchase else [])]
    )
    month = "" if len(plan.firsts) > 1 else f"{ALL_YEAR} AS month, "
    summed = f"SELECT {month}{unit}, {sums} FROM ({entries}) GROUP BY {unit}"
    left = " OR ".join(f"spend_{i} > 0" for i in range(len(plan.shares)))
    spend = f"SELECT *, ({_brought(plan)})::HUGEINT AS brought, ({left})::HUGEINT AS purchases FROM ({summed})"
    if plan.by_purchase:
        columns = ["entries", "unplaced", *(f"spend_{i}" for i in range(len(plan.shares))), "brought", "purchases"]
        added = ", ".join(f"sum({column})::HUGEINT AS {column}" for column in columns)
        spend = f"SELECT resident_ref, month, {added} FROM ({spend}) GROUP BY resident_ref, month"
    duck.execute(f"CREATE TABLE spend AS {spend}")
    _check_tiers(duck, source, plan)


def _source(files: Sequence[Path], plan: Plan) -> str:
    """The files' entries without `month` and all else that is an opinion of the first way."""
    if not files:
        return NO_FILES
    columns = "resident_ref, tiers, amounts_minor, " + (PURCHASE if plan.by_purchase else "sold_at")
    return f"(SELECT {columns} FROM read_parquet([{', '.join(map(text, files))}]))"


def _columns(plan: Plan) -> str:
    """The columns of an entry: its amounts by tier, NULL for a tier that it lacks or that has no rate then."""
    starts = [(first, plan.borders[first - 1]) for first in plan.firsts]
    cases = " ".join(f"WHEN sold_at >= {_moment(start)} THEN {first}" for first, start in reversed(starts[1:]))
    month = f"CAST(CASE {cases} ELSE 1 END AS UTINYINT)" if cases else ALL_YEAR
    amounts = [
        f"{_where_rated(plan, code, f'amounts_minor[list_position(tiers, {text(code)})]')} AS amount_{i}"
        for i, code in enumerate(plan.shares)
    ]
    purchase = [PURCHASE] if plan.by_purchase else []
    return ", ".join([f"resident_ref, {month} AS month", *purchase, "tiers", "amounts_minor", *amounts])


def _where_rated(plan: Plan, code: str, amount: str) -> str:
    rated = [month for month in plan.firsts if plan.shares[code][month - 1] is not None]
    if len(rated) == len(plan.firsts):
        return amount
    return f"CASE WHEN month IN ({', '.join(map(str, rated))}) THEN {amount} END" if rated else "NULL::BIGINT"


def _unplaced(plan: Plan) -> str:
    """How many amounts belong to no tier with a rate: they are an error."""
    placed = " - ".join(f"count(amount_{i})" for i in range(len(plan.shares)))
    return f"sum(greatest(len(tiers), len(amounts_minor))) - {placed} AS unplaced"


def _brought(plan: Plan) -> str:
    """What the spend of a purchase, or of months, brings: numerators over the plan's denominator."""
    if plan.refund.purchase:
        return _brought_by_purchase(plan, plan.refund.purchase)
    return " + ".join(
        f"spend_{i} * {by_month([int((share or 0) * plan.denominator) for share in shares])}"
        for i, shares in enumerate(plan.shares.values())
    )


def _brought_by_purchase(plan: Plan, rule: PurchaseRule) -> str:
    """The tiers take from the cap in turn; together they take the sum, at most the cap."""
    left = [f"greatest(spend_{i}, 0)" for i in range(len(plan.shares))]
    bases = []
    for amount, shares in zip(left, plan.shares.values(), strict=True):
        numerators = by_month([(share or Fraction(0)).numerator for share in shares])
        denominators = by_month([(share or Fraction(0)).denominator for share in shares])
        bases.append(f"({rounded(rule.rounding, f'{amount} * {numerators}', denominators)})")
    brought = " + ".join(bases)
    if rule.cap is not None:
        brought = f"least({brought}, {rule.cap})"
    return f"CASE WHEN {' + '.join(left)} < {rule.minimum or 0} THEN 0 ELSE {brought} END"


def _check_times(duck: duckdb.DuckDBPyConnection, source: str, plan: Plan) -> None:
    starts, ends = plan.borders[0], plan.borders[-1]
    for outside in (
        f"sold_at < {_moment(starts)}",
        f"sold_at >= {_moment(ends)}",
    ):  # one by one, so that row groups drop
        first = f"SELECT resident_ref, sold_at FROM {source} WHERE {outside} ORDER BY ALL LIMIT 1"
        if row := duck.execute(first).fetchone():
            raise EntriesInvalid(
                f"{row[0]} has an entry of {row[1]} UTC, outside the year ({starts} to {ends} UTC). Correct it."
            )


def _check_tiers(duck: duckdb.DuckDBPyConnection, source: str, plan: Plan) -> None:
    bad = duck.execute(
        "SELECT resident_ref, unplaced FROM spend WHERE unplaced > 0 ORDER BY resident_ref LIMIT 1"
    ).fetchone()
    if bad is None:
        return
    entries = f"SELECT {_columns(plan)} FROM {source} WHERE resident_ref = {text(bad[0])}"
    placed = " ".join(f"WHEN {text(code)} THEN amount_{i}" for i, code in enumerate(plan.shares))
    tier = duck.execute(f"""
        SELECT tier FROM (SELECT *, unnest(tiers) AS tier FROM ({entries})) WHERE CASE tier {placed} END IS NULL
        ORDER BY tier LIMIT 1""").fetchone()
    what = f"in the tier {tier[0]}, which has no rate then" if tier else "with a tier twice or with amounts of no tier"
    raise EntriesInvalid(f"{bad[0]} has {bad[1]} amounts {what}. Correct the entries or the scheme.")


def _moment(moment: datetime) -> str:
    return f"TIMESTAMP {text(moment)}"

"""From what the purchases brought to refunds: eligibility, the three levels of limits, rounding and sharing out.

The table `parts` is rewritten at each step: resident_ref, household_ref, month (the first of its period), brought
(numerators over the plan's denominator), spent, purchases. Without a register each part is a unit of its own.
"""

from typing import Final

import duckdb

from apps.refunds.verification.households import number, words
from apps.refunds.verification.plan import Plan, rounded, text
from apps.schemes.document import AtLeast, Cap, Condition, Limit

PERIODS: Final = {"month": "month", "half_year": "(CASE WHEN month < 7 THEN 1 ELSE 7 END)", "year": "1"}
UNITS: Final = {"person": "resident_ref", "household": "household_ref", "members": "household_ref"}

ADD_UP: Final = """
CREATE OR REPLACE TABLE parts AS
SELECT resident_ref, household_ref, {period}::UTINYINT AS month, sum(brought)::HUGEINT AS brought,
       sum(spent)::HUGEINT AS spent, sum(purchases)::HUGEINT AS purchases
FROM parts GROUP BY ALL
"""
# Parts with the amount of their unit (NULL: they stay as they are) become shares of it, in whole minor units.
SHARES: Final = """
WITH weighed AS (
    SELECT *, greatest(brought, 0) AS weight,
           sum(greatest(brought, 0)) OVER (PARTITION BY {unit}, month)::HUGEINT AS all_weights
    FROM ({parts})
), cut AS (
    SELECT *, CASE WHEN all_weights > 0 THEN amount * weight // all_weights ELSE 0 END AS whole,
           CASE WHEN all_weights > 0 THEN amount * weight % all_weights ELSE 0 END AS rest
    FROM weighed
), ranked AS (
    SELECT *, amount - sum(whole) OVER (PARTITION BY {unit}, month)::HUGEINT AS to_give,
           row_number() OVER (PARTITION BY {unit}, month ORDER BY rest DESC, resident_ref, household_ref) AS place
    FROM cut
)
SELECT *, whole + (all_weights > 0 AND place <= to_give)::HUGEINT AS share FROM ranked
"""
# What each member's amount is for a household: the differences from one month of membership to the next add up.
OF_MEMBERS: Final = """
SELECT household_ref, first AS month,
       sum(amount * place // months - amount * (place - 1) // months)::HUGEINT AS amount
FROM (
    SELECT household_ref, first, {amount} AS amount,
           row_number() OVER (PARTITION BY resident_ref, first ORDER BY month) AS place,
           count(*) OVER (PARTITION BY resident_ref, first) AS months
    FROM (SELECT *, {period} AS first FROM lived) LEFT JOIN said USING (resident_ref)
) GROUP BY ALL
"""
LARGEST_OF_UNIT: Final = """
SELECT {unit}, {period} AS month, max({amount}) AS amount
FROM lived LEFT JOIN said USING (resident_ref) GROUP BY ALL
"""


def start_parts(duck: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """Make `parts` from `spend`, and `counted`: the spend in the time of residence. Who is not eligible brings 0."""
    lived = "JOIN lived USING (resident_ref, month)" if plan.registered else ""
    said = "LEFT JOIN said USING (resident_ref)" if plan.registered else ""
    household = "household_ref" if plan.registered else "resident_ref AS household_ref"
    duck.execute(f"CREATE VIEW counted AS SELECT spend.*, {household} FROM spend {lived}")
    spent = " + ".join(f"spend_{i}" for i in range(len(plan.shares)))
    attributes = "*" if plan.registered else "*, NULL::JSON AS attributes"
    eligible = " AND ".join(_holds(condition) for condition in plan.refund.eligibility) or "true"
    duck.execute(f"""
        CREATE TABLE parts AS
        SELECT resident_ref, household_ref, month, CASE WHEN {eligible} THEN brought ELSE 0 END AS brought,
               {spent} AS spent, purchases
        FROM (SELECT {attributes} FROM counted {said})""")


def _holds(condition: Condition) -> str:
    if condition.equals is not None:
        return f"coalesce({words(condition.attribute)} = {text(condition.equals)}, false)"
    sign, value = (">=", condition.at_least) if condition.at_most is None else ("<=", condition.at_most)
    return f"coalesce({number(condition.attribute)} {sign} {value}, false)"


def apply_limits(duck: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """The limits of months, of half-years, then of the year, in the scheme's order; `parts` are then the year's."""
    for level, period in PERIODS.items():
        limits = [limit for limit in plan.refund.limits if limit.per == level]
        if limits or level == "year":
            duck.execute(ADD_UP.format(period=period))
        for limit in limits:
            if limit.at_least:
                duck.execute(_threshold(limit, limit.at_least, plan))
            if limit.cap:
                duck.execute(_cap(limit, limit.cap, plan))


def _threshold(limit: Limit, at_least: AtLeast, plan: Plan) -> str:
    fails = " OR ".join(
        f"{_of_unit(column, limit, plan)} < {value}"
        for column, value in (("purchases", at_least.purchases), ("spent", at_least.amount))
        if value is not None
    )
    return f"""CREATE OR REPLACE TABLE parts AS
        SELECT * REPLACE (CASE WHEN {fails} THEN 0 ELSE brought END AS brought) FROM parts"""


def _of_unit(column: str, limit: Limit, plan: Plan) -> str:
    return f"sum({column}) OVER (PARTITION BY {UNITS[limit.unit]}, month)::HUGEINT" if plan.registered else column


def _cap(limit: Limit, cap: Cap, plan: Plan) -> str:
    columns = "resident_ref, household_ref, month, spent, purchases"
    if not plan.registered:  # nobody has an attribute, and a part alone gets all of its unit's amount
        amount = 0 if cap.amount is None else cap.amount
        return f"""CREATE OR REPLACE TABLE parts AS
            SELECT {columns}, least(brought, {amount}::HUGEINT * {plan.denominator}::HUGEINT) AS brought FROM parts"""
    total = _of_unit("brought", limit, plan)
    parts = f"""
        SELECT *, CASE WHEN total > cap * {plan.denominator}::HUGEINT THEN cap END AS amount
        FROM (SELECT parts.*, {total} AS total, {_cap_amount(limit, cap)})"""
    shares = SHARES.format(unit=UNITS[limit.unit], parts=parts)
    return f"""CREATE OR REPLACE TABLE parts AS
        SELECT {columns}, CASE WHEN amount IS NULL THEN brought ELSE share * {plan.denominator}::HUGEINT END AS brought
        FROM ({shares})"""


def _cap_amount(limit: Limit, cap: Cap) -> str:
    """The unit's cap as the last column `cap`, with the tables that it comes from."""
    if cap.attribute is None and limit.unit != "members":
        return f"{cap.amount}::HUGEINT AS cap FROM parts"
    amount = f"greatest(coalesce({number(cap.attribute)}, 0), 0)" if cap.attribute else f"{cap.amount}::HUGEINT"
    statement = OF_MEMBERS if limit.unit == "members" else LARGEST_OF_UNIT
    of_units = statement.format(unit=UNITS[limit.unit], period=PERIODS[limit.per], amount=amount)
    return f"amount AS cap FROM parts JOIN ({of_units}) USING ({UNITS[limit.unit]}, month)"


def round_refunds(duck: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """Make `refunds` (resident_ref, refund_minor, spend) of all residents with entries from `parts`."""
    together = plan.registered and any(limit.unit != "person" for limit in plan.refund.limits)
    refunds = _rounded_sums("resident_ref", plan)
    if together:
        parts = f"SELECT parts.*, amount FROM parts JOIN ({_rounded_sums('household_ref', plan)}) USING (household_ref)"
        shares = SHARES.format(unit="household_ref", parts=parts)
        refunds = f"SELECT resident_ref, sum(share) AS amount FROM ({shares}) GROUP BY resident_ref"
    duck.execute(f"""
        CREATE TABLE refunds AS
        SELECT resident_ref, coalesce(amount, 0)::HUGEINT AS refund_minor, {_spend_text(plan)} AS spend
        FROM (SELECT DISTINCT resident_ref FROM spend) LEFT JOIN ({refunds}) USING (resident_ref)
        LEFT JOIN ({_net_spend(plan)}) USING (resident_ref)""")


def _rounded_sums(unit: str, plan: Plan) -> str:
    sums = f"SELECT {unit}, greatest(sum(brought), 0)::HUGEINT AS n FROM parts GROUP BY {unit}"
    return (
        f"SELECT {unit}, {rounded(plan.refund.rounding, 'n', f'{plan.denominator}::HUGEINT')} AS amount FROM ({sums})"
    )


def _net_spend(plan: Plan) -> str:
    sums = ", ".join(f"sum(spend_{i})::HUGEINT AS net_{i}" for i in range(len(plan.shares)))
    return f"SELECT resident_ref, {sums} FROM counted GROUP BY resident_ref"


def _spend_text(plan: Plan) -> str:
    """`tier=amount,…` by tier, without tiers at 0."""
    by_code = sorted((code, i) for i, code in enumerate(plan.shares))
    terms = ", ".join(f"CASE WHEN net_{i} <> 0 THEN {text(f'{code}=')} || net_{i} END" for code, i in by_code)
    return f"concat_ws(',', {terms})"

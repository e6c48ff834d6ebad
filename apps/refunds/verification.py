"""The refund again, from the single entries in the Parquet archive, by DuckDB: the second, independent way.

It shares nothing with `assessment` but the scheme document. Rates are millionths here, sums are 128-bit integers over
one common denominator, and the date of each entry picks its rate.
"""

from collections.abc import Iterator, Sequence
from math import lcm
from pathlib import Path
from typing import Final, NamedTuple

import duckdb

from apps.schemes.document import DatedRate, Scheme

MILLION: Final = 1_000_000
FAR: Final = "9999-12-31"

FLOOR: Final = "CASE WHEN n < 0 THEN -((d - 1 - n) // d) ELSE n // d END"  # DuckDB's own // cuts toward 0
# The exact refund is n / d. Each rule's name as an expression; the first assessment has its own.
ROUNDING_SQL: Final = {
    "floor": FLOOR,
    "kokuzei-tsusoku-120": f"CASE WHEN n > 0 AND n < d THEN 1 ELSE {FLOOR} END",
}

REFUNDS = """
WITH sold AS (
    SELECT resident_ref, CAST(timezone('{zone}', timezone('UTC', sold_at)) AS DATE) AS day,
           unnest(tiers) AS tier, unnest(amounts_minor) AS amount_minor
    FROM read_parquet({files})
), by_tier AS (
    SELECT sold.resident_ref, sold.tier, sum(sold.amount_minor) AS spend,
           sum(sold.amount_minor::HUGEINT * (c.millionths - t.millionths)
               * ({common} // ({million} + c.millionths))) AS n,
           count(*) FILTER (WHERE t.millionths IS NULL OR c.millionths IS NULL) AS without_rate
    FROM sold
    LEFT JOIN tier_rates t ON t.tier = sold.tier AND t.starts <= sold.day AND sold.day < t.ends
    LEFT JOIN collected_rates c ON c.starts <= sold.day AND sold.day < c.ends
    GROUP BY sold.resident_ref, sold.tier
), exact AS (
    SELECT resident_ref, sum(n) AS n, string_agg(tier || '=' || spend, ',' ORDER BY tier) AS spend,
           sum(without_rate)::BIGINT AS without_rate
    FROM by_tier GROUP BY resident_ref
), rounded AS (
    SELECT resident_ref, spend, without_rate, {rounding} AS refund FROM (SELECT *, {common}::HUGEINT AS d FROM exact)
)
SELECT resident_ref::VARCHAR, CAST({capped} AS BIGINT) AS refund, spend, without_rate FROM rounded ORDER BY resident_ref
"""


class SecondRefund(NamedTuple):
    """A resident's refund by this way, and the spend as `tier=amount,…` by tier.

    `without_rate` counts amounts whose tier had no rate on the day, which is an error.
    """

    resident_ref: str
    refund_minor: int
    spend: str
    without_rate: int


def refunds_from_archive(files: Sequence[Path], scheme: Scheme) -> Iterator[SecondRefund]:
    """The refund of every resident in the files, by reference."""
    if not files:
        return
    with duckdb.connect() as duck:
        duck.execute("CREATE TABLE tier_rates (tier VARCHAR, starts DATE, ends DATE, millionths BIGINT)")
        duck.execute("CREATE TABLE collected_rates (starts DATE, ends DATE, millionths BIGINT)")
        for tier in scheme.tiers:
            for starts, ends, millionths in _spans(tier.rates):
                duck.execute("INSERT INTO tier_rates VALUES (?, ?, ?, ?)", [tier.code, starts, ends, millionths])
        for span in _spans(scheme.collected):
            duck.execute("INSERT INTO collected_rates VALUES (?, ?, ?)", list(span))
        result = duck.execute(_statement(files, scheme))
        while rows := result.fetchmany(50_000):
            yield from (SecondRefund(*row) for row in rows)


def entries_in(files: Sequence[Path]) -> int:
    """How many entries the files hold."""
    if not files:
        return 0
    with duckdb.connect() as duck:
        row = duck.execute(f"SELECT count(*) FROM read_parquet({_sql_list(files)})").fetchone()  # noqa: S608 - our own file names
    return int(row[0]) if row else 0


def _statement(files: Sequence[Path], scheme: Scheme) -> str:
    cap = next((limit.cap for limit in scheme.refund.limits if limit.cap), None)
    return REFUNDS.format(
        zone=scheme.time_zone,
        files=_sql_list(files),
        common=lcm(*(MILLION + millionths for _, _, millionths in _spans(scheme.collected))),
        million=MILLION,
        rounding=ROUNDING_SQL[scheme.refund.rounding],
        capped=f"least(refund, {cap.amount})" if cap else "refund",
    )


def _spans(rates: Sequence[DatedRate]) -> list[tuple[str, str, int]]:
    """(first day, day after the last, rate in millionths) of each dated rate."""
    days = [rate.from_date.isoformat() for rate in rates] + [FAR]
    return [(days[i], days[i + 1], int(rate.rate * MILLION)) for i, rate in enumerate(rates)]


def _sql_list(files: Sequence[Path]) -> str:
    return "[" + ", ".join("'" + str(file).replace("'", "''") + "'" for file in files) + "]"

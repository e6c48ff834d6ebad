"""Counting anew what merchants sent of a year: a page then reads some rows of one merchant, never purchases."""

import time
from datetime import datetime
from typing import Final, NamedTuple

from django.conf import settings
from django.db import connection, transaction

from apps.inspections.completeness import LATE_DAYS, score_permille
from apps.inspections.models import ALL, MerchantYear
from apps.inspections.queries.merchants import added_up, counted_of
from apps.schemes.queries import check_kept, kept_years, tax_year

LOCK: Final = 20150910  # the class of the advisory lock that refreshing takes by year
# A till's day ends at 6 in the morning: a closing after midnight is that of the evening before. Never in another year.
DAY: Final = """least(greatest(({at} AT TIME ZONE %(zone)s - interval '6 hours')::date, make_date(%(year)s, 1, 1)),
    make_date(%(year)s, 12, 31))"""
MONTHS: Final = """
WITH days AS (
    SELECT t.merchant_id, p.terminal_id, {day_of_purchase} AS day, count(*) AS records,
        count(*) FILTER (WHERE kind = 'sale') AS sales,
        coalesce(sum(amount_minor) FILTER (WHERE kind = 'sale'), 0) AS sales_minor,
        count(*) FILTER (WHERE kind IN ('return', 'void')) AS returns,
        coalesce(sum(amount_minor) FILTER (WHERE kind = 'return'), 0) AS returns_minor,
        count(*) FILTER (WHERE b.received_at > p.at + make_interval(days => %(late_days)s)) AS late,
        count(*) FILTER (WHERE kind = 'closing') AS closings
    FROM purchases_purchase p JOIN merchants_terminal t ON t.id = p.terminal_id
    JOIN purchases_batch b ON b.lane = p.lane AND b.id = p.batch_id
    WHERE p.tax_year = %(year)s GROUP BY 1, 2, 3
), months AS (
    SELECT merchant_id, extract(month FROM day)::int2 AS month, sum(records) AS records, sum(sales) AS sales,
        sum(sales_minor) AS sales_minor, sum(returns) AS returns, sum(returns_minor) AS returns_minor,
        sum(late) AS late, count(*) FILTER (WHERE sales > 0 AND closings = 0) AS missing
    FROM days GROUP BY 1, 2
), tiers AS (
    SELECT merchant_id, month, jsonb_object_agg(tier, amount) AS tiers FROM (
        SELECT t.merchant_id, extract(month FROM {day_of_purchase})::int2 AS month,
            split_part(part, '=', 1) AS tier, sum(split_part(part, '=', 2)::int8)::int8 AS amount
        FROM purchases_purchase p JOIN merchants_terminal t ON t.id = p.terminal_id
        CROSS JOIN LATERAL string_to_table(split_part(p.line, E'\\n', 6), ',') AS part
        WHERE p.tax_year = %(year)s AND p.kind = 'sale' GROUP BY 1, 2, 3) sold
    GROUP BY 1, 2
), closings AS (
    SELECT t.merchant_id, c.terminal_id, c.seq, extract(month FROM {day_of_closing})::int2 AS month, c.agrees,
        c.reported
    FROM purchases_closing c JOIN merchants_terminal t ON t.id = c.terminal_id WHERE c.tax_year = %(year)s
), compared AS (
    SELECT merchant_id, month, count(*) FILTER (WHERE agrees) AS agree, count(*) FILTER (WHERE NOT agrees) AS differ,
        count(*) FILTER (WHERE agrees IS NULL) AS open
    FROM closings GROUP BY 1, 2
), last AS (
    SELECT *, lead(month) OVER (PARTITION BY terminal_id ORDER BY month) AS next_month FROM (
        SELECT DISTINCT ON (terminal_id, month) merchant_id, terminal_id, month, reported FROM closings
        ORDER BY terminal_id, month, seq DESC) ends
), reported AS (
    SELECT merchant_id, month, jsonb_object_agg(tier, amount) AS reported FROM (
        SELECT merchant_id, month, tier, sum(amount)::int8 AS amount FROM (
            SELECT merchant_id, month, key AS tier, value::int8 AS amount FROM last, jsonb_each_text(reported)
            UNION ALL
            SELECT merchant_id, next_month, key, -value::int8 FROM last, jsonb_each_text(reported)
            WHERE next_month IS NOT NULL) changes
        GROUP BY 1, 2, 3) grown
    GROUP BY 1, 2
), refused AS (
    SELECT merchant_id, month, jsonb_object_agg(code, count) AS rejections, sum(count) AS rejected FROM (
        SELECT t.merchant_id, extract(month FROM r.at AT TIME ZONE %(zone)s)::int2 AS month, r.code, count(*) AS count
        FROM (SELECT terminal_id, code, received_at AS at FROM purchases_rejection UNION ALL
            SELECT terminal_id, code, decided_at FROM purchases_outcome WHERE status = 'rejected') r
        JOIN merchants_terminal t ON t.id = r.terminal_id
        WHERE r.at >= make_timestamptz(%(year)s, 1, 1, 0, 0, 0, %(zone)s)
            AND r.at < make_timestamptz(%(year)s + 1, 1, 1, 0, 0, 0, %(zone)s)
        GROUP BY 1, 2, 3) codes
    GROUP BY 1, 2
), keys AS (
    SELECT merchant_id, month FROM months UNION SELECT merchant_id, month FROM compared
    UNION SELECT merchant_id, month FROM refused
)
INSERT INTO inspections_merchantmonth (merchant_id, tax_year, month, records, sales, sales_minor, returns,
    returns_minor, late, closings_agree, closings_differ, closings_open, closings_missing, tiers, reported, rejections,
    rejected)
SELECT merchant_id, %(year)s, month, coalesce(records, 0), coalesce(sales, 0), coalesce(sales_minor, 0),
    coalesce(returns, 0), coalesce(returns_minor, 0), coalesce(late, 0), coalesce(agree, 0), coalesce(differ, 0),
    coalesce(open, 0), coalesce(missing, 0), coalesce(tiers, '{{}}'), coalesce(reported, '{{}}'),
    coalesce(rejections, '{{}}'), coalesce(rejected, 0)
FROM keys LEFT JOIN months USING (merchant_id, month) LEFT JOIN tiers USING (merchant_id, month)
LEFT JOIN compared USING (merchant_id, month) LEFT JOIN reported USING (merchant_id, month)
LEFT JOIN refused USING (merchant_id, month)
""".format(day_of_purchase=DAY.format(at="p.at"), day_of_closing=DAY.format(at="c.at"))  # noqa: S608 - of this file
AMOUNTS: Final = """
INSERT INTO inspections_amountcount (merchant_id, tax_year, digits, first_digits, sales, amount_minor)
SELECT t.merchant_id, %(year)s, length(p.amount_minor::text), left(p.amount_minor::text, 2)::int2, count(*),
    sum(p.amount_minor)
FROM purchases_purchase p JOIN merchants_terminal t ON t.id = p.terminal_id
WHERE p.tax_year = %(year)s AND p.kind = 'sale' AND p.amount_minor > 0 GROUP BY 1, 3, 4
"""
# All live merchants together, as merchant 0: a year's page then reads some hundred rows.
AMOUNTS_OF_ALL: Final = """
INSERT INTO inspections_amountcount (merchant_id, tax_year, digits, first_digits, sales, amount_minor)
SELECT %(all)s, a.tax_year, a.digits, a.first_digits, sum(a.sales), sum(a.amount_minor)
FROM inspections_amountcount a JOIN merchants_merchant m ON m.id = a.merchant_id
WHERE a.tax_year = %(year)s AND m.mode = 'live' GROUP BY 2, 3, 4
"""
# Numbers that never came between a till's first and its last of the year. What is lost after that, closings show.
MISSING: Final = """
SELECT t.merchant_id, sum(seen.last - seen.first + 1 - (
    SELECT coalesce(sum(upper(r) - lower(r)), 0)
    FROM unnest(s.received * int8multirange(int8range(seen.first, seen.last, '[]'))) r))::int8
FROM (SELECT lane, terminal_id, min(seq)::int8 AS first, max(seq)::int8 AS last FROM purchases_purchase
    WHERE tax_year = %(year)s GROUP BY 1, 2) seen
JOIN purchases_terminalstate s ON s.lane = seen.lane AND s.terminal_id = seen.terminal_id
JOIN merchants_terminal t ON t.id = seen.terminal_id GROUP BY 1
"""


class Refreshed(NamedTuple):
    """What was counted of a year, and how long it took."""

    merchants: int
    months: int
    seconds: int


def refresh_open_years(*, now: datetime) -> int:
    """Count the last two years whose purchases are kept. Returns how many merchants' years were counted."""
    return sum(refresh_year(year, now=now).merchants for year in kept_years()[-2:])


def refresh_year(year: int, *, now: datetime) -> Refreshed:
    """Count a year anew; again is harmless. Pages show the earlier counts until it is done.

    Raises YearNotStarted, YearErased: the counts of an erased year stay as they were.
    """
    check_kept(tax_year(year))
    began = time.monotonic()
    place: dict[str, int | str] = {"year": year, "zone": settings.TIME_ZONE, "late_days": LATE_DAYS}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", (LOCK, year))
        for table in ("merchantmonth", "amountcount", "merchantyear"):
            cursor.execute(f"DELETE FROM inspections_{table} WHERE tax_year = %s", (year,))  # noqa: S608 - names above
        cursor.execute(MONTHS, place)
        months = cursor.rowcount
        cursor.execute(AMOUNTS, place)
        cursor.execute(AMOUNTS_OF_ALL, place | {"all": ALL})
        cursor.execute(MISSING, place)
        missing = dict(cursor.fetchall())
        rows = [_year(pk, counts, missing.get(pk, 0), year, now) for pk, counts in added_up(year).items()]
        MerchantYear.objects.bulk_create(rows, batch_size=1000)
    return Refreshed(len(rows), months, round(time.monotonic() - began))


def _year(merchant_id: int, counts: dict[str, int], numbers_missing: int, year: int, now: datetime) -> MerchantYear:
    row = MerchantYear(
        merchant_id=merchant_id, tax_year=year, numbers_missing=numbers_missing, refreshed_at=now, **counts
    )
    row.score_permille = score_permille(counted_of(row))
    return row

"""A resident's purchases, searched: counted ones as what is left of them, and those that are not counted."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db import connection

from apps.accruals.models import Withheld
from apps.accruals.queries import amounts_left
from apps.accruals.searching import Search, withheld_standing
from apps.purchases.following import Amounts, Key

FOUND_A_PAGE: Final = 25
# Of one resident, so of one shard. Most sales are as they were sold. One that something follows is folded with all that
# was booked of it, at each time that it had: where something is left of it is where it stands. A sale that was moved to
# another year, and of which nothing is left, stands nowhere; only that is looked for in the other years.
SALES: Final = """
WITH entries AS MATERIALIZED (
    SELECT terminal_id, seq, of_terminal_id, of_seq, tax_year, at, kind, tiers, amounts_minor FROM accruals_entry
    WHERE resident_ref = %(resident)s AND tax_year = ANY(%(years)s::int2[])
), followed AS (
    SELECT DISTINCT of_terminal_id AS terminal_id, of_seq AS seq FROM entries WHERE of_seq IS NOT NULL
), cells AS (
    SELECT coalesce(e.of_terminal_id, e.terminal_id) AS terminal_id, coalesce(e.of_seq, e.seq) AS seq, e.tax_year, e.at,
           u.tier, sum(u.amount_minor)::int8 AS amount_minor,
           coalesce(sum(u.amount_minor) FILTER (WHERE e.kind = 'sale'), 0)::int8 AS sold_minor,
           bool_or(e.kind IN ('return', 'void', 'correction')) AS is_changed, bool_or(e.kind = 'void') AS is_voided,
           bool_or(e.kind IN ('hold', 'reject', 'deny', 'annul')) AS is_taken_off
    FROM entries e, unnest(e.tiers, e.amounts_minor) AS u (tier, amount_minor)
    WHERE (coalesce(e.of_terminal_id, e.terminal_id), coalesce(e.of_seq, e.seq)) IN (SELECT * FROM followed)
    GROUP BY 1, 2, 3, 4, 5
), places AS (
    SELECT terminal_id, seq, tax_year, at, sum(amount_minor)::int8 AS total_minor, sum(sold_minor)::int8 AS sold_minor,
           coalesce(array_agg(tier) FILTER (WHERE amount_minor <> 0), '{}') AS tiers,
           coalesce(array_agg(amount_minor) FILTER (WHERE amount_minor <> 0), '{}') AS amounts_minor,
           bool_or(is_changed) AS is_changed, bool_or(is_voided) AS is_voided, bool_or(is_taken_off) AS is_taken_off
    FROM cells GROUP BY 1, 2, 3, 4
), sales AS (
    SELECT DISTINCT ON (terminal_id, seq) *, tiers = '{}' AS is_gone,
           min(tax_year) OVER of_sale <> max(tax_year) OVER of_sale AS is_in_years
    FROM places WINDOW of_sale AS (PARTITION BY terminal_id, seq)
    ORDER BY terminal_id, seq, tiers = '{}', at DESC
), withheld AS (
    SELECT terminal_id, seq, tax_year, at, standing, total_minor, string_to_array(tiers, ',') AS tiers,
           string_to_array(amounts_minor, ',')::int8[] AS amounts_minor
    FROM unnest(%(w_terminals)s::int4[], %(w_seqs)s::int4[], %(w_years)s::int2[], %(w_times)s::timestamptz[],
                %(w_standings)s::text[], %(w_totals)s::int8[], %(w_tiers)s::text[], %(w_amounts)s::text[])
        AS w (terminal_id, seq, tax_year, at, standing, total_minor, tiers, amounts_minor)
), purchases AS (
    SELECT terminal_id, seq, tax_year, at, 'counted' AS standing,
           (SELECT sum(amount_minor) FROM unnest(amounts_minor) AS u (amount_minor))::int8 AS total_minor, tiers,
           amounts_minor
    FROM entries WHERE of_seq IS NULL AND (terminal_id, seq) NOT IN (SELECT * FROM followed)
        AND (terminal_id, seq) NOT IN (SELECT terminal_id, seq FROM withheld)
    UNION ALL
    SELECT terminal_id, seq, tax_year, at,
           CASE WHEN is_gone AND is_taken_off AND NOT is_voided THEN 'rejected'
                WHEN is_changed OR total_minor <> sold_minor THEN 'corrected' ELSE 'counted' END,
           total_minor, tiers, amounts_minor
    FROM sales
    WHERE (terminal_id, seq) NOT IN (SELECT terminal_id, seq FROM withheld)
        AND NOT (is_gone AND (is_in_years OR (terminal_id, seq) IN (
            SELECT of_terminal_id, of_seq FROM accruals_entry
            WHERE resident_ref = %(resident)s AND tax_year <> ALL(%(years)s::int2[]) AND of_seq IS NOT NULL)))
    UNION ALL
    SELECT terminal_id, seq, tax_year, at, standing, total_minor, tiers, amounts_minor FROM withheld
), found AS (
    SELECT * FROM purchases WHERE {conditions}
), sums AS (
    SELECT count(*) AS number, coalesce(sum(total_minor), 0)::int8 AS sum_minor FROM found
)
SELECT number, sum_minor, f.* FROM sums, found f
ORDER BY at DESC, terminal_id, seq DESC
LIMIT %(most)s OFFSET (SELECT least(%(page)s - 1, greatest(number - 1, 0) / %(most)s) * %(most)s FROM sums)
"""
# Looked up shop by shop: a resident was in few of them.
IN_SHOP: Final = """terminal_id IN (
    SELECT terminal_id FROM (SELECT DISTINCT terminal_id FROM purchases) d WHERE EXISTS (
    SELECT FROM merchants_terminal t JOIN merchants_store s ON s.id = t.store_id
        JOIN merchants_merchant m ON m.id = t.merchant_id
    WHERE t.id = d.terminal_id AND (
        strpos(lower(normalize(s.name, NFKC)), lower(normalize(%(shop)s::text, NFKC))) > 0
        OR strpos(lower(normalize(m.name, NFKC)), lower(normalize(%(shop)s::text, NFKC))) > 0) OFFSET 0))"""
CONDITIONS: Final = {
    "since": "at >= %(since)s",
    "before": "at < %(before)s",
    "least_minor": "total_minor >= %(least_minor)s",
    "most_minor": "total_minor <= %(most_minor)s",
    "tier": "%(tier)s = ANY(tiers)",
    "standing": "standing = %(standing)s",
    "shop": IN_SHOP,
}


class FoundPurchase(NamedTuple):
    """A purchase as it stands: what is left of it, in minor units by tier."""

    terminal_id: int
    seq: int
    tax_year: int
    at: datetime
    standing: str
    total_minor: int
    tiers: list[str]
    amounts_minor: list[int]


@dataclass(frozen=True, slots=True)
class Found:
    """A page of purchases, the newest first; `number` and `sum_minor` are of all that were found."""

    rows: list[FoundPurchase]
    number: int
    sum_minor: int


def find_purchases(resident_ref: UUID, search: Search, *, years: Collection[int], page: int) -> Found:
    """The resident's purchases that a search finds in these years, FOUND_A_PAGE a page; past the last page, the last.

    `years` must have all in which the search's times lie, and none that was erased. A query, another for what is
    withheld, and some for its amounts if there is any.
    """
    withheld = _withheld(resident_ref, years)
    conditions = {name: getattr(search, name) for name in CONDITIONS if getattr(search, name) not in (None, "")}
    statement = SALES.replace("{conditions}", " AND ".join(CONDITIONS[name] for name in conditions) or "true")
    place: dict[str, Any] = {"resident": resident_ref, "years": sorted(years), "page": page, "most": FOUND_A_PAGE}
    with connection.cursor() as cursor:
        cursor.execute(statement, place | withheld | conditions)
        rows = cursor.fetchall()
    number, sum_minor = rows[0][:2] if rows else (0, 0)
    return Found([FoundPurchase(*row[2:]) for row in rows], number, sum_minor)


def _withheld(resident_ref: UUID, years: Collection[int]) -> dict[str, list[Any]]:
    """What is withheld of these years, as the statement takes it: a list a column."""
    rows = list(Withheld.objects.filter(resident_ref=resident_ref, tax_year__in=years).exclude(status="counted"))
    left = amounts_left([Key(row.terminal_id, row.seq) for row in rows])
    amounts: Sequence[Amounts] = [left.get(Key(row.terminal_id, row.seq), {}) for row in rows]
    return {
        "w_terminals": [row.terminal_id for row in rows],
        "w_seqs": [row.seq for row in rows],
        "w_years": [row.tax_year for row in rows],
        "w_times": [row.at for row in rows],
        "w_standings": [withheld_standing(row.status, row.code) for row in rows],
        "w_totals": [sum(of_one.values()) for of_one in amounts],
        "w_tiers": [",".join(of_one) for of_one in amounts],
        "w_amounts": [",".join(map(str, of_one.values())) for of_one in amounts],
    }

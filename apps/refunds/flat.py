"""The first assessment as one SQL statement, for schemes in which every resident stands alone. Pure.

Such a scheme needs nothing but the year's sums: no household, no attribute, no month or half-year by itself, no single
purchase. Its refunds, figures, kept numbers and leaf hashes are those of `assessment`, which a property test compares.
"""

from typing import Final

from apps.refunds.leaves import FORMAT, line_label
from apps.refunds.rules import Rules
from apps.schemes.document import Limit
from apps.schemes.rates import RateLine

SAFE_NUMERATOR: Final = 4_000  # times 2 × 10^15, more than anybody spends, still a bigint
SAFE_CAP: Final = 2**62

# left_n is what comes back in units of 1 / d, from 0 up. `assessment` has these rules by name in kernel.rounding.
ROUNDING_SQL: Final = {
    "floor": "div(left_n, {d})",
    "kokuzei-tsusoku-120": "CASE WHEN left_n > 0 AND left_n < {d} THEN 1 ELSE div(left_n, {d}) END",
    "half_up": "div(2::numeric * left_n + {d}, 2 * {d}::numeric)",
}

# Where a tier has no rate, the refund is NULL, and the table refuses it.
ASSESS: Final = """
WITH found AS (
    SELECT r.*, {earlier_minor} AS earlier, {is_new} AS is_new
    FROM (
        SELECT *, CASE WHEN NOT without_rate THEN {rounding} END::bigint AS entitled
        FROM (
            SELECT *, greatest(n, 0) AS left_n
            FROM (
                SELECT *, {capped} AS n, {at_cap} AS at_cap
                FROM (
                    SELECT *, {brought} AS before
                    FROM (
                        SELECT resident_ref, {sums}, bool_or(tier NOT IN ({tiers})) AS without_rate
                        FROM accruals_total
                        WHERE tax_year = %(year)s AND run BETWEEN 1 AND %(run)s AND tier <> ''
                          AND resident_ref BETWEEN %(first)s AND %(last)s
                        GROUP BY resident_ref
                        ORDER BY resident_ref
                        OFFSET 0
                    ) spent
                ) brought
            ) capped
        ) c
        OFFSET 0  -- computed once a resident, whatever reads it
    ) r {earlier}
), written AS (
    INSERT INTO refunds_refund (resident_ref, tax_year, run, scheme_version, entitled_minor, earlier_minor, due_minor,
                                at_cap, spend_minor, cuts, leaf)
    SELECT resident_ref, %(year)s, %(run)s, %(version)s, entitled, earlier, entitled - earlier, at_cap,
           ARRAY[{columns}]::bigint[],
           CASE WHEN before > n THEN ARRAY[0, 1, before, n]::numeric[] ELSE '{{}}' END,
           sha256(%(leaf)b || sha256(%(outer)b || sha256(%(inner)b || uuid_send(resident_ref))) || convert_to(
               E'{head}' || resident_ref::text || E'\\nentitled ' || entitled || E'\\nearlier ' || earlier
               || E'\\ndue ' || entitled - earlier || E'\\nlines ' || {lines} || E'\\ncuts '
               || CASE WHEN before > n THEN '0:1=' || before || '>' || n ELSE '-' END, 'UTF8'))
    FROM found WHERE is_new
    RETURNING entitled_minor AS entitled, at_cap, due_minor
)
{figures}
"""
# Of the first run every assessment is written; of a later one, those that are new.
FIGURES_FIRST: Final = """
SELECT count(*), count(*) FILTER (WHERE entitled > 0), count(*) FILTER (WHERE at_cap), coalesce(sum(entitled), 0),
       count(*), coalesce(sum(due_minor), 0)
FROM written
"""
FIGURES_LATER: Final = """
SELECT count(*), count(*) FILTER (WHERE entitled > 0), count(*) FILTER (WHERE at_cap), coalesce(sum(entitled), 0),
       (SELECT count(*) FROM written), (SELECT coalesce(sum(due_minor), 0) FROM written)
FROM found
"""
EARLIER: Final = """LEFT JOIN (
        SELECT DISTINCT ON (resident_ref) resident_ref, entitled_minor, spend_minor FROM refunds_refund
        WHERE tax_year = %(year)s AND run < %(run)s AND resident_ref BETWEEN %(first)s AND %(last)s
        ORDER BY resident_ref, run DESC
    ) e ON e.resident_ref = r.resident_ref"""
IS_NEW: Final = "(e.entitled_minor, e.spend_minor) IS DISTINCT FROM (r.entitled, ARRAY[{columns}]::bigint[])"


def is_flat(rules: Rules) -> bool:
    """Whether the statement can assess this scheme's year."""
    refund = rules.refund
    covered = all((line.tier, month) in rules.line_of for line in rules.lines for month in range(1, 13))
    stands_alone = all(_is_year_cap(limit) for limit in refund.limits) and len(refund.limits) <= 1
    return covered and stands_alone and not rules.measured and not refund.eligibility


def _is_year_cap(limit: Limit) -> bool:
    return (limit.per, limit.unit) == ("year", "person") and limit.cap is not None and limit.cap.amount is not None


def assess_statement(rules: Rules, *, scheme_sha256: str, year: int, run: int, is_first: bool) -> str:
    """The statement that assesses the residents of a range of references and writes their refunds.

    Parameters: year, run, first, last, version, and as bytes leaf (a zero byte), inner and outer (the pads of
    `leaves.hmac_pads`). It answers one row: residents, refunded, at the cap, entitled in all, statements written, due
    in all. The database refuses it (IntegrityError) where a resident bought in a tier without a rate. `is_first`: the
    year has no earlier refunds, so all are written; otherwise those that differ from the resident's last one.
    """
    columns = ", ".join(f"s{i}" for i in range(len(rules.lines)))
    cap = next((limit.cap.amount for limit in rules.refund.limits if limit.cap), None)
    most = None if cap is None else f"{cap * rules.denominator}::{_number(rules)}"
    return ASSESS.format(
        sums=", ".join(_sum(i, line) for i, line in enumerate(rules.lines)),
        tiers=", ".join(sorted({f"'{line.tier}'" for line in rules.lines})),
        brought=" + ".join(f"s{i}::{_number(rules)} * {units}" for i, units in enumerate(rules.numerators)),
        columns=columns,
        capped=f"least(before, {most})" if most else "before",
        at_cap=f"(before >= {most} AND before > 0)" if most else "false",
        rounding=ROUNDING_SQL[rules.refund.rounding].format(d=rules.denominator),
        earlier="" if is_first else EARLIER,
        figures=FIGURES_FIRST if is_first else FIGURES_LATER,
        earlier_minor="0::bigint" if is_first else "coalesce(e.entitled_minor, 0)",
        is_new="true" if is_first else IS_NEW.format(columns=columns),
        head=f"{FORMAT}\\nyear {year}\\nrun {run}\\nscheme {scheme_sha256}\\nresident ",
        lines=" || ".join(f"'{',' if i else ''}{line_label(line)}=' || s{i}" for i, line in enumerate(rules.lines)),
    )


def _number(rules: Rules) -> str:
    """The type that all sums of n fit in; a bigint that does not fit is an error of the database, never a wrong sum."""
    caps = [limit.cap.amount or 0 for limit in rules.refund.limits if limit.cap]
    fits = max(map(abs, rules.numerators)) <= SAFE_NUMERATOR and rules.denominator * max(caps, default=0) < SAFE_CAP
    return "bigint" if fits else "numeric"


def _sum(index: int, line: RateLine) -> str:
    months = " + ".join(f"amounts_minor[{month}]" for month in range(line.first_month, line.last_month + 1))
    return f"coalesce(sum({months}) FILTER (WHERE tier = '{line.tier}'), 0)::bigint AS s{index}"

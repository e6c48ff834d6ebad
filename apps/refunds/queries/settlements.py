"""What of the refunds that are due is settled, and what residents owe."""

from typing import NamedTuple
from uuid import UUID

from django.db import connection

from apps.refunds.models import Run
from apps.refunds.netting_rule import Debt

UNSETTLED = """
SELECT count(*), coalesce(sum(r.due_minor - coalesce(s.settled, 0)), 0)
FROM refunds_refund r
LEFT JOIN (SELECT resident_ref, sum(amount_minor) AS settled FROM refunds_settlement
           WHERE tax_year = %(year)s AND run = %(run)s GROUP BY resident_ref) s USING (resident_ref)
WHERE r.tax_year = %(year)s AND r.run = %(run)s AND r.due_minor > coalesce(s.settled, 0)
"""
DEBTS = """
SELECT due.resident_ref, due.due_minor, debt.tax_year, debt.run, -debt.due_minor - coalesce(sum(s.amount_minor), 0)
FROM refunds_refund due
JOIN refunds_refund debt ON debt.resident_ref = due.resident_ref AND debt.due_minor < 0
JOIN refunds_run o ON o.tax_year_id = debt.tax_year AND o.number = debt.run
                  AND o.state IN ('approved', 'paying', 'closed')
LEFT JOIN refunds_settlement s ON s.resident_ref = debt.resident_ref AND s.kind = 'netted'
                              AND s.against_year = debt.tax_year AND s.against_run = debt.run
WHERE due.tax_year = %(year)s AND due.run = %(run)s AND due.due_minor > 0
  AND (debt.tax_year, debt.run) <> (%(year)s, %(run)s)
GROUP BY due.resident_ref, due.due_minor, debt.tax_year, debt.run, debt.due_minor
HAVING -debt.due_minor > coalesce(sum(s.amount_minor), 0)
ORDER BY due.resident_ref, debt.tax_year, debt.run
"""


class Unsettled(NamedTuple):
    """How many refunds of a run are not settled whole, and what is left of them, in minor units."""

    refunds: int
    amount_minor: int


def unsettled(run: Run) -> Unsettled:
    """What of a run is neither paid nor netted nor lapsed: one query."""
    with connection.cursor() as cursor:
        cursor.execute(UNSETTLED, {"year": run.tax_year_id, "run": run.number})
        refunds, amount_minor = cursor.fetchone()
    return Unsettled(refunds, int(amount_minor))


def debts_of_those_due(run: Run) -> dict[UUID, tuple[int, list[Debt]]]:
    """For residents to whom the run gives something: how much, and their open debts, the oldest first: one query."""
    found: dict[UUID, tuple[int, list[Debt]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(DEBTS, {"year": run.tax_year_id, "run": run.number})
        for ref, due_minor, year, number, left_minor in cursor:
            found.setdefault(ref, (due_minor, []))[1].append(Debt(year, number, int(left_minor)))
    return found

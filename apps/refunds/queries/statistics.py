"""How a run's refunds are spread: one pass over them, kept with the run once it is verified."""

from typing import Final

from django.db import connection

from apps.accruals.queries import spend_of_all
from apps.refunds.models import Run
from apps.refunds.statistics import PREFECTURE_DIGITS, Region, Statistics, from_json, step_of, tenths_of
from apps.schemes.document import year_cap_minor

SPREAD: Final = """
SELECT grouping(f.entitled_minor), f.entitled_minor, coalesce(left(p.municipality, %(digits)s), ''), count(*),
       count(*) FILTER (WHERE f.entitled_minor > 0), count(*) FILTER (WHERE f.at_cap), sum(f.entitled_minor),
       count(*) FILTER (WHERE f.due_minor > 0), coalesce(sum(f.due_minor) FILTER (WHERE f.due_minor > 0), 0),
       count(*) FILTER (WHERE f.due_minor < 0), coalesce(-sum(f.due_minor) FILTER (WHERE f.due_minor < 0), 0)
FROM refunds_refund f LEFT JOIN residents_resident p ON p.ref = f.resident_ref
WHERE f.tax_year = %(year)s AND f.run = %(run)s
GROUP BY GROUPING SETS ((f.entitled_minor), (coalesce(left(p.municipality, %(digits)s), '')))
"""


def kept_statistics(run: Run) -> Statistics | None:
    """What the run kept: no query."""
    return from_json(run.statistics) if run.statistics else None


def statistics_of(run: Run) -> Statistics:
    """The same from its refunds: two passes, over its refunds and over the year's totals."""
    residents_at: dict[int, int] = {}
    regions, dues = [], [0, 0, 0, 0]
    with connection.cursor() as cursor:
        cursor.execute(SPREAD, {"year": run.tax_year_id, "run": run.number, "digits": PREFECTURE_DIGITS})
        for is_region, amount, code, residents, refunded, at_cap, sum_minor, *due in cursor:
            if is_region:
                regions.append(Region(code, residents, refunded, at_cap, int(sum_minor)))
                dues = [known + int(more) for known, more in zip(dues, due, strict=True)]
            else:
                residents_at[amount] = residents
    cap_minor = year_cap_minor(run.tax_year.scheme_version.scheme())
    steps: dict[int, int] = {}
    for amount, residents in residents_at.items() if cap_minor else ():
        step = step_of(amount, cap_minor or 1)
        steps[step] = steps.get(step, 0) + residents
    return Statistics(
        steps,
        tenths_of(residents_at),
        tuple(sorted(regions, key=lambda region: region.code)),
        tuple(tuple(cell) for cell in spend_of_all(run.tax_year_id, up_to_run=run.number)),  # type: ignore[misc]
        *dues,
    )

"""What of the refunds that are due is settled, and what residents owe."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import Q, Sum
from django.utils import timezone

from apps.refunds.deadlines import lapses_on, warnings_due
from apps.refunds.models import EFFECTIVE, Refund, Run, Settlement
from apps.refunds.netting_rule import Debt
from apps.refunds.queries.statements import PROVED, refunds_of
from apps.schemes.queries import scheme_of

UNSETTLED = """
SELECT count(*), coalesce(sum(r.due_minor - coalesce(s.settled, 0)), 0)
FROM refunds_refund r
LEFT JOIN (SELECT resident_ref, sum(amount_minor) AS settled FROM refunds_settlement
           WHERE tax_year = %(year)s AND run = %(run)s GROUP BY resident_ref) s ON s.resident_ref = r.resident_ref
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


def left_of(run: Run, refs: Collection[UUID]) -> dict[UUID, int]:
    """What of these residents' refunds of a run is neither paid nor netted nor lapsed, in minor units: two queries."""
    of_run = {"tax_year": run.tax_year_id, "run": run.number, "resident_ref__in": list(refs)}
    parts = Settlement.objects.filter(**of_run).values_list("resident_ref").annotate(settled=Sum("amount_minor"))
    settled = dict(parts.order_by())
    due = Refund.objects.filter(**of_run).values_list("resident_ref", "due_minor")
    return {ref: due_minor - settled.get(ref, 0) for ref, due_minor in due}


@dataclass(frozen=True, slots=True)
class Balance:
    """A refund with its run and what became of it.

    `taken_off` are the later refunds that were netted against it when it took something away. `claim_until` is the last
    day to claim it, None before its approval; it `lapses_soon` from the first warning on.
    """

    refund: Refund
    run: Run
    settled: tuple[Settlement, ...]
    taken_off: tuple[Settlement, ...]
    claim_until: date | None
    lapses_soon: bool

    @property
    def left_minor(self) -> int:
        """What is still to be paid once the run is approved, in minor units; below 0, to be taken off later refunds."""
        done = sum(part.amount_minor for part in self.settled)
        return self.refund.due_minor - done + sum(part.amount_minor for part in self.taken_off)

    @property
    def effective(self) -> bool:
        """Whether two auditors approved the run."""
        return self.run.state in EFFECTIVE

    @property
    def proved(self) -> bool:
        """Whether there is a statement with its proof."""
        return self.run.state in PROVED


def balances_of(resident_ref: UUID, year: int) -> list[Balance]:
    """What became of a resident's refunds of a year, the newest first: three queries, one when there is none."""
    return balances_with(refunds_of(resident_ref, year))


def balances_with(refunds: Sequence[tuple[Refund, Run]]) -> list[Balance]:
    """The same for the refunds of a resident's year that were read with their runs: one query, none without any."""
    if not refunds:
        return []
    (ref, year), *_ = [(refund.resident_ref, refund.tax_year) for refund, _ in refunds]
    of_year = Q(tax_year=year) | Q(against_year=year)
    parts = list(Settlement.objects.filter(of_year, resident_ref=ref).order_by("at"))
    return [_balance(refund, run, parts) for refund, run in refunds]


def all_balances_of(resident_ref: UUID) -> list[Balance]:
    """The same of all years, the newest first: three queries, whatever there is."""
    refunds = list(Refund.objects.filter(resident_ref=resident_ref).order_by("-tax_year", "-run"))
    years = {refund.tax_year for refund in refunds}
    runs = {
        (run.tax_year_id, run.number): run for run in Run.objects.filter(tax_year_id__in=years).defer("differences")
    }
    parts = list(Settlement.objects.filter(resident_ref=resident_ref).order_by("at"))
    return [_balance(refund, runs[refund.tax_year, refund.run], parts) for refund in refunds]


def _balance(refund: Refund, run: Run, parts: Sequence[Settlement]) -> Balance:
    own, until = (refund.tax_year, refund.run), _claim_until(refund, run)
    return Balance(
        refund,
        run,
        tuple(part for part in parts if (part.tax_year, part.run) == own),
        tuple(part for part in parts if (part.against_year, part.against_run) == own),
        until,
        until is not None and warnings_due(until, timezone.localdate()) is not None,
    )


def _claim_until(refund: Refund, run: Run) -> date | None:
    if run.signed_2_at is None:
        return None
    return lapses_on(timezone.localdate(run.signed_2_at), scheme_of(refund.scheme_version).lapse.after_years)


def debts_of_those_due(run: Run) -> dict[UUID, tuple[int, list[Debt]]]:
    """For residents to whom the run gives something: how much, and their open debts, the oldest first: one query."""
    found: dict[UUID, tuple[int, list[Debt]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(DEBTS, {"year": run.tax_year_id, "run": run.number})
        for ref, due_minor, year, number, left_minor in cursor:
            found.setdefault(ref, (due_minor, []))[1].append(Debt(year, number, int(left_minor)))
    return found

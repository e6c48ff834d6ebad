"""The reckoning of a run: what was approved is paid, failed, returned, carried, waiting or in flight, to the yen."""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from django.db import connection

from apps.payouts.models import Obligation
from apps.payouts.queries.readiness import Waiting, waiting_lists
from apps.refunds.models import Run, RunState
from apps.refunds.queries.runs import latest_run, run_of
from apps.refunds.queries.settlements import Unsettled

STATES: Final = tuple(Obligation.State.values)
APPROVED: Final = """
SELECT count(*), coalesce(sum(due_minor), 0)::bigint FROM refunds_refund
WHERE tax_year = %(year)s AND run = %(run)s AND due_minor > 0
"""
BY_STATE: Final = """
SELECT state, count(*), sum(amount_minor)::bigint, sum(settled_minor)::bigint, sum(carried_in_minor)::bigint,
       sum(due_minor - settled_minor)::bigint
FROM payouts_obligation WHERE tax_year = %(year)s AND run = %(run)s GROUP BY state
"""
# Refunds of the run that no obligation is made of, by what of them was settled otherwise.
UNOWED: Final = """
SELECT count(*), coalesce(sum(r.due_minor), 0)::bigint,
       coalesce(sum(least(r.due_minor, coalesce(s.settled, 0))), 0)::bigint
FROM refunds_refund r
LEFT JOIN (SELECT resident_ref, sum(amount_minor) AS settled FROM refunds_settlement
           WHERE tax_year = %(year)s AND run = %(run)s GROUP BY resident_ref) s USING (resident_ref)
WHERE r.tax_year = %(year)s AND r.run = %(run)s AND r.due_minor > 0
  AND NOT EXISTS (SELECT FROM payouts_obligation o
                  WHERE (o.resident_ref, o.tax_year, o.run) = (r.resident_ref, r.tax_year, r.run))
"""
# What attempts say is paid and in flight.
PAID: Final = """
SELECT coalesce((SELECT sum(a.amount_minor) FROM payouts_attempt a JOIN payouts_obligation o ON o.id = a.obligation_id
                 WHERE o.tax_year = %(year)s AND o.run = %(run)s AND a.state = 'paid'), 0)::bigint,
       coalesce((SELECT sum(a.amount_minor) FROM payouts_attempt a JOIN payouts_obligation o ON o.id = a.obligation_id
                 WHERE o.tax_year = %(year)s AND o.run = %(run)s
                   AND a.state IN ('draft', 'approved', 'submitted', 'sent')), 0)::bigint
"""
# What this run carried over and a later payment paid: up from link to link.
CARRIED_PAID: Final = """
WITH RECURSIVE up AS (
    SELECT due_minor - settled_minor AS own, carried_into_id AS next FROM payouts_obligation
    WHERE tax_year = %(year)s AND run = %(run)s AND carried_into_id IS NOT NULL
    UNION ALL
    SELECT up.own, o.carried_into_id FROM up JOIN payouts_obligation o ON o.id = up.next
    WHERE o.carried_into_id IS NOT NULL
)
SELECT count(*), coalesce(sum(up.own), 0)::bigint FROM up JOIN payouts_obligation o ON o.id = up.next
WHERE o.state = 'paid'
"""
# What this run carried over and is not settled.
CARRIED_OPEN: Final = """
SELECT count(*), coalesce(sum(o.due_minor - coalesce(s.settled, 0)), 0)::bigint FROM payouts_obligation o
LEFT JOIN (SELECT resident_ref, sum(amount_minor) AS settled FROM refunds_settlement
           WHERE tax_year = %(year)s AND run = %(run)s GROUP BY resident_ref) s USING (resident_ref)
WHERE o.tax_year = %(year)s AND o.run = %(run)s AND o.state = 'carried' AND o.due_minor > coalesce(s.settled, 0)
"""
# What the refunds were told is paid since the obligations were made.
RECORDED: Final = """
SELECT (SELECT coalesce(sum(s.amount_minor), 0) FROM payouts_obligation o
        JOIN refunds_settlement s ON (s.resident_ref, s.tax_year, s.run) = (o.resident_ref, o.tax_year, o.run)
        WHERE o.tax_year = %(year)s AND o.run = %(run)s AND s.kind <> 'lapsed')::bigint
     - (SELECT coalesce(sum(settled_minor), 0) FROM payouts_obligation
        WHERE tax_year = %(year)s AND run = %(run)s)::bigint
"""
OPEN: Final = ("due", "in_flight", "failed", "returned")


class Line(NamedTuple):
    """A line of the table: how many, and how much in minor units."""

    obligations: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Reckoning:
    """A run's payments. `approved` and what was carried in from earlier runs is the sum of all the other lines."""

    approved: Line
    carried_in_minor: int
    settled_before_minor: int
    by_state: dict[str, Line]
    unowed: Line
    waiting: list[Waiting]
    attempts_paid_minor: int
    attempts_in_flight_minor: int
    recorded_paid_minor: int
    own_paid_minor: int

    @property
    def adds_up(self) -> bool:
        """Whether the table does, and attempts, obligations and the refunds' settlements say the same."""
        return not self.differences

    @property
    def is_done(self) -> bool:
        """Whether it adds up and nothing is open any more."""
        return self.adds_up and not self.unowed.amount_minor and not any(self.by_state[one].obligations for one in OPEN)

    @property
    def differences(self) -> dict[str, int]:
        """Where it does not add up, by how much, in minor units."""
        said = sum(line.amount_minor for line in self.by_state.values()) + self.unowed.amount_minor
        found = {
            "table": self.approved.amount_minor + self.carried_in_minor - said - self.settled_before_minor,
            "paid": self.attempts_paid_minor - self.by_state["paid"].amount_minor,
            "in_flight": self.attempts_in_flight_minor - self.by_state["in_flight"].amount_minor,
            "recorded": self.recorded_paid_minor - self.own_paid_minor,
        }
        return {name: amount for name, amount in found.items() if amount}


def paying_run(year: int, number: int | None) -> Run:
    """The run named, or the oldest that is being paid, or the newest. Raises RunMissing."""
    if number is not None:
        return run_of(year, number)
    paying = Run.objects.select_related("tax_year__scheme_version").filter(tax_year_id=year, state=RunState.PAYING)
    return paying.order_by("number").first() or latest_run(year)


def reckoning(run: Run) -> Reckoning:
    """The table of a run: seven queries."""
    rows = {state: numbers for state, *numbers in _rows(BY_STATE, run)}
    (approved,), (unowed,), (attempts,) = _rows(APPROVED, run), _rows(UNOWED, run), _rows(PAID, run)
    (carried_paid,), (recorded,) = _rows(CARRIED_PAID, run), _rows(RECORDED, run)
    nothing = [0] * 5
    refunds, due_minor, settled_minor = unowed
    return Reckoning(
        approved=Line(*approved),
        carried_in_minor=sum(numbers[3] for numbers in rows.values()),
        settled_before_minor=sum(numbers[2] for numbers in rows.values()) + settled_minor,
        by_state={state: Line(*rows.get(state, nothing)[:2]) for state in STATES},
        unowed=Line(refunds, due_minor - settled_minor),
        waiting=waiting_lists(run),
        attempts_paid_minor=attempts[0],
        attempts_in_flight_minor=attempts[1],
        recorded_paid_minor=recorded[0],
        own_paid_minor=rows.get("paid", nothing)[4] + carried_paid[1],
    )


def by_state(run: Run) -> dict[str, Line]:
    """How many obligations of a run are in which state, and what they come to: one query."""
    rows = {state: Line(*numbers[:2]) for state, *numbers in _rows(BY_STATE, run)}
    return {state: rows.get(state, Line(0, 0)) for state in STATES}


def carried_of(run: Run) -> Unsettled:
    """What of a run is carried over, and neither paid with a later refund yet nor lapsed with it: one query."""
    ((count, amount_minor),) = _rows(CARRIED_OPEN, run)
    return Unsettled(count, amount_minor)


def _rows(statement: str, run: Run) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"year": run.tax_year_id, "run": run.number})
        return list(cursor.fetchall())


def failed_of(run: Run) -> list[int]:
    """The obligations of a run whose payment failed or came back: one query."""
    owed = Obligation.objects.filter(tax_year=run.tax_year_id, run=run.number, state__in=("failed", "returned"))
    return list(owed.order_by("pk").values_list("pk", flat=True))


def table(run: Run, found: Reckoning) -> dict[str, Any]:
    """The reckoning as commands print it: `approved` and `carried_in` on one side, all the rest on the other."""
    lines = {
        "year": run.tax_year_id, "run": run.number, "state": run.state,
        "approved": found.approved._asdict(), "carried_in_minor": found.carried_in_minor,
        "settled_before_minor": found.settled_before_minor,
        **{state: line._asdict() for state, line in found.by_state.items()},
        "not_owed_yet": found.unowed._asdict(),
    }  # fmt: skip
    return lines | {
        "waiting": [one._asdict() for one in found.waiting], "differences_minor": found.differences,
        "adds_up": found.adds_up, "nothing_open": found.is_done,
    }  # fmt: skip

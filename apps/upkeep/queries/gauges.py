"""How the system stands, for Prometheus: a few short questions to the database at each scrape, no long scan."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from django.db import InterfaceError, OperationalError, connection
from prometheus_client.core import GaugeMetricFamily, Metric

AT_MOST: Final = 20_000  # rows are counted up to here: what is shown as that is at least that

OUTBOX: Final = """
    SELECT count(*), coalesce(sum(records), 0), coalesce(extract(epoch FROM now() - min(received_at)), 0)
    FROM (SELECT records, received_at FROM purchases_batch WHERE counted_at IS NULL AND failed_at IS NULL
          ORDER BY lane, id LIMIT %s) AS waiting
"""
FOLLOWUPS: Final = "SELECT count(*) FROM (SELECT 1 FROM purchases_followup WHERE due AND NOT failed LIMIT %s) AS due"
RUNS: Final = """
    SELECT DISTINCT ON (tax_year_id) tax_year_id, number, state FROM refunds_run
    WHERE state <> 'withdrawn' ORDER BY tax_year_id, number DESC
"""
STEPS: Final = """
    SELECT tax_year_id, name, done, total, extract(epoch FROM now() - requested_at)
    FROM refunds_step WHERE finished_at IS NULL
"""
PAYOUT_FILES: Final = "SELECT state, count(*), sum(transfers), sum(sum_minor) FROM payouts_batch GROUP BY state"
PAYOUTS: Final = """
    SELECT run.tax_year_id, run.number, states.state, (
        SELECT count(*) FROM (
            SELECT 1 FROM payouts_obligation AS owed WHERE owed.tax_year = run.tax_year_id AND owed.run = run.number
            AND owed.state = states.state LIMIT %s) AS counted)
    FROM refunds_run AS run, unnest(ARRAY['due', 'in_flight', 'failed', 'returned']) AS states (state)
    WHERE run.state IN ('approved', 'paying')
"""
CHECKPOINT: Final = """
    SELECT coalesce((SELECT size FROM audit_loghead LIMIT 1), 0),
        extract(epoch FROM now() - (SELECT at FROM audit_checkpoint ORDER BY size DESC LIMIT 1))
"""


class Gauges:
    """A collector of prometheus_client."""

    def collect(self) -> Iterator[Metric]:
        """The gauges. Without the database, only that it is away."""
        try:
            found = [*_outbox(), *_runs(), *_payouts(), *_audit_log()]
        except (InterfaceError, OperationalError):
            connection.close()
            found = []
        yield _gauge("kanpu_database_up", "Whether the database answers", [], [(1 if found else 0,)])
        yield from found


def _rows(statement: str, *values: int) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _gauge(name: str, told: str, labels: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> GaugeMetricFamily:
    """A gauge with a value for each row: its labels' values, then its own."""
    family = GaugeMetricFamily(name, told, labels=labels)
    for *names, value in rows:
        family.add_metric([str(one) for one in names], float(value))
    return family


def _outbox() -> list[Metric]:
    ((batches, records, oldest_s),) = _rows(OUTBOX, AT_MOST)
    return [
        _gauge("kanpu_outbox_batches", f"Batches that wait to be counted, at most {AT_MOST}", [], [(batches,)]),
        _gauge("kanpu_outbox_records", "Records in those batches", [], [(records,)]),
        _gauge("kanpu_counting_lag_seconds", "Since when the oldest of those waits", [], [(oldest_s,)]),
        _gauge(
            "kanpu_followups_due", f"Records that wait for their sale's settling, at most {AT_MOST}", [],
            _rows(FOLLOWUPS, AT_MOST),
        ),
    ]  # fmt: skip


def _runs() -> list[Metric]:
    steps = _rows(STEPS)
    done = [(year, name, done / total if total else 0) for year, name, done, total, _ in steps]
    waited = [(year, name, age_s) for year, name, _, _, age_s in steps]
    states = [(*run, 1) for run in _rows(RUNS)]
    return [
        _gauge("kanpu_run_state", "The newest run of each year: 1 for its state", ["year", "run", "state"], states),
        _gauge("kanpu_step_progress_ratio", "How much of a step at work is done", ["year", "step"], done),
        _gauge("kanpu_step_age_seconds", "Since when a step at work was asked for", ["year", "step"], waited),
    ]


def _payouts() -> list[Metric]:
    files = _rows(PAYOUT_FILES)
    return [
        _gauge("kanpu_payout_files", "Files for the bank", ["state"], [(state, n) for state, n, _, _ in files]),
        _gauge("kanpu_payout_transfers", "Transfers in them", ["state"], [(state, n) for state, _, n, _ in files]),
        _gauge("kanpu_payout_minor", "Their sums, in minor units", ["state"], [(state, n) for state, _, _, n in files]),
        _gauge(
            "kanpu_payouts", f"Refunds of effective runs by what became of paying them, at most {AT_MOST} each",
            ["year", "run", "state"], _rows(PAYOUTS, AT_MOST),
        ),
    ]  # fmt: skip


def _audit_log() -> list[Metric]:
    ((size, age_s),) = _rows(CHECKPOINT)
    aged = [] if age_s is None else [(age_s,)]
    return [
        _gauge("kanpu_audit_log_entries", "Entries of the audit log", [], [(size,)]),
        _gauge("kanpu_audit_checkpoint_age_seconds", "Since when its last checkpoint was signed", [], aged),
    ]

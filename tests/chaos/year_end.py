"""A year end whose processes are killed at random, and taken up again, ends as if nothing had been.

Each round freezes a year of made-up entries, assesses and verifies it undisturbed, takes that back, and does it again
with SIGKILL to the command, or to it and the workers. The digest, which is over every refund, must be the same.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import connection
from django.utils import timezone

from apps.accruals.operations.years import start_year
from apps.refunds.models import Run, Step
from apps.refunds.operations.approving import undo_step
from apps.refunds.operations.assessing import assess_run
from apps.refunds.operations.freezing import freeze
from apps.refunds.operations.steps import STEP_LOCK
from apps.refunds.operations.verifying import verify_run
from apps.refunds.queries.runs import latest_run
from apps.schemes.operations import SHIPPED, load_scheme
from apps.simulator.processes import Processes, worker_command

MADE_UP: Final = 2018  # the year of made-up entries, so many that a kill hits a step at work
ACTOR: Final = "chaos"
KILLED_AGAIN: Final = 0.8  # or a round would hardly ever end
STEPS: Final = {"freeze": freeze, "assess": assess_run, "verify": verify_run}
REACHES: Final = {"freeze": "frozen", "assess": "assessed", "verify": "verified"}
WORKED_ON: Final = (
    "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objid = %s AND granted)"
)
ENTRIES: Final = """
INSERT INTO accruals_entry (resident_ref, tax_year, terminal_id, seq, run, part, month, at, kind, tiers, amounts_minor)
SELECT md5((i %% %(residents)s)::text)::uuid, %(year)s, i %% 457, i, 1, 1, extract(month FROM at), at, 'sale',
       ARRAY['reduced', 'standard'], ARRAY[i %% 7001 + 1, i %% 991 + 1]
FROM (SELECT i, timestamptz '2018-01-01 00:00+09' + i %% 525600 * interval '1 minute' AS at
      FROM generate_series(1, %(entries)s) i) e
"""
TOTALS: Final = """
INSERT INTO accruals_total (resident_ref, tax_year, run, tier, amounts_minor, purchases)
SELECT resident_ref, tax_year, run, tier, array_agg(amount ORDER BY month), array_agg(count ORDER BY month)
FROM (SELECT r.resident_ref, r.tax_year, r.run, r.tier, m.month, coalesce(sum(e.amount), 0) AS amount,
             count(e.amount) AS count
      FROM (SELECT DISTINCT resident_ref, tax_year, run, tier FROM accruals_entry, unnest(tiers) tier
            WHERE tax_year = %(year)s) r
      CROSS JOIN generate_series(1, 12) m (month)
      LEFT JOIN (SELECT resident_ref, run, month, u.tier, u.amount
                 FROM accruals_entry, unnest(tiers, amounts_minor) AS u (tier, amount)
                 WHERE tax_year = %(year)s) e
        USING (resident_ref, run, tier, month)
      GROUP BY 1, 2, 3, 4, 5) s
GROUP BY 1, 2, 3, 4
"""


@dataclass(slots=True)
class YearEnd:
    """A year's end, whose processes are killed at `most` so often, and how often they were."""

    year: int
    rng: random.Random
    folder: Path
    most: int
    said: Callable[[str], None]
    kills: int = 0
    hit: dict[str, int] = field(default_factory=dict)

    def step(self, name: str) -> None:
        """Do a step by the command, with a worker beside it, killed and started again; in the end by ourselves."""
        if self.kills < self.most:
            workers = Processes(Path(settings.BASE_DIR), self.folder / "logs")
            workers.start("worker", worker_command(), with_keys=False)
            try:
                while self.kills < self.most and self.rng.random() < KILLED_AGAIN:
                    if self._attempt(name, workers):
                        return
            finally:
                workers.stop()
        STEPS[name](self.year, actor=ACTOR)

    def _attempt(self, name: str, workers: Processes) -> bool:
        command = subprocess.Popen(
            [sys.executable, "manage.py", "year_end", str(self.year), name],
            cwd=settings.BASE_DIR,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        if self._kill(name, command, workers):
            return self._is_done(name)  # it may have been killed on its way out
        _, error = command.communicate(timeout=300)
        if command.returncode:
            raise SystemExit(f"year_end {name} failed: {error.decode()[-2000:]}")
        return True

    def _kill(self, name: str, command: subprocess.Popen[bytes], workers: Processes) -> bool:
        """Kill the command, and sometimes the workers, at a random moment; whether it was still at work."""
        time.sleep(0.9 + self.rng.random() * 1.6)
        if command.poll() is not None:
            return False
        os.killpg(command.pid, signal.SIGKILL)
        command.wait()
        let_go_of(self.year)
        if self.rng.random() < 0.5:
            workers.kill("worker")
            workers.start("worker", worker_command(), with_keys=False)
        self.kills += 1
        self.hit[name] = self.hit.get(name, 0) + 1
        return True

    def round(self) -> Run:
        """One year end, undisturbed and disturbed; returns the verified run. Raises SystemExit when they differ."""
        self.step("freeze")
        assess_run(self.year, actor=ACTOR)
        expected = verify_run(self.year, actor=ACTOR).digest
        undo_step(self.year, actor=ACTOR)
        undo_step(self.year, actor=ACTOR)
        self.step("assess")
        self.step("verify")
        run = latest_run(self.year)
        if (run.state, run.digest) != ("verified", expected):
            raise SystemExit(f"{run} is {run.state} with digest {run.digest}; undisturbed it was {expected}.")
        self.said(f"{self.kills} kills {self.hit}: run {run.number} verified again, digest {run.digest[:16]}…")
        return run

    def take_back(self) -> None:
        """The run never was, so that another can begin."""
        for _ in range(3):
            undo_step(self.year, actor=ACTOR)

    def _is_done(self, name: str) -> bool:
        """Whether a step ended before its process was killed."""
        newest = Step.objects.filter(tax_year_id=self.year).order_by("-pk").first()
        state = Run.objects.filter(tax_year_id=self.year).order_by("-number").values_list("state", flat=True).first()
        ended = newest is not None and newest.name == name and newest.finished_at is not None and not newest.error
        return ended and state == REACHES[name]


def let_go_of(year: int) -> None:
    """Wait for the database to notice that who worked on a year is gone: it ends the statement under way first."""
    end_s = time.monotonic() + 120
    with connection.cursor() as cursor:
        cursor.execute(WORKED_ON, [STEP_LOCK, year])
        while cursor.fetchone() == (True,) and time.monotonic() < end_s:
            time.sleep(0.1)
            cursor.execute(WORKED_ON, [STEP_LOCK, year])


def make_year(*, residents: int, entries: int) -> None:
    """A year's entries of made-up purchases, with their totals."""
    version, _ = load_scheme(SHIPPED / "jp-2015.yaml", at=timezone.now(), actor=ACTOR)
    start_year(MADE_UP, version, deadline=None, at=timezone.now(), actor=ACTOR)
    with connection.cursor() as cursor:
        cursor.execute(ENTRIES, {"year": MADE_UP, "residents": residents, "entries": entries})
        cursor.execute(TOTALS, {"year": MADE_UP})

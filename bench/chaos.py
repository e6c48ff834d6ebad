"""`make chaos`: a year end whose processes are killed at random, and taken up again, ends as if nothing had been.

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
from apps.refunds.operations.verifying import verify_run
from apps.refunds.queries.runs import latest_run
from apps.schemes.operations import SHIPPED, load_scheme
from apps.simulator.processes import Processes, worker_command

YEAR: Final = 2017
REACHES: Final = {"freeze": "frozen", "assess": "assessed", "verify": "verified"}
ENTRIES: Final = """
INSERT INTO accruals_entry (resident_ref, tax_year, terminal_id, seq, run, part, month, at, kind, tiers, amounts_minor)
SELECT md5((i %% %(residents)s)::text)::uuid, %(year)s, i %% 457, i, 1, 1, extract(month FROM at), at, 'sale',
       ARRAY['reduced', 'standard'], ARRAY[i %% 7001 + 1, i %% 991 + 1]
FROM (SELECT i, timestamptz '2017-01-01 00:00+09' + i %% 525600 * interval '1 minute' AS at
      FROM generate_series(1, %(entries)s) i) e
"""
TOTALS: Final = """
INSERT INTO accruals_total (resident_ref, tax_year, run, tier, amounts_minor, purchases)
SELECT resident_ref, tax_year, run, tier, array_agg(amount ORDER BY month), array_agg(count ORDER BY month)
FROM (SELECT r.resident_ref, r.tax_year, r.run, r.tier, m.month, coalesce(sum(e.amount), 0) AS amount,
             count(e.amount) AS count
      FROM (SELECT DISTINCT resident_ref, tax_year, run, tier FROM accruals_entry, unnest(tiers) tier) r
      CROSS JOIN generate_series(1, 12) m (month)
      LEFT JOIN (SELECT resident_ref, run, month, u.tier, u.amount
                 FROM accruals_entry, unnest(tiers, amounts_minor) AS u (tier, amount)) e
        USING (resident_ref, run, tier, month)
      GROUP BY 1, 2, 3, 4, 5) s
GROUP BY 1, 2, 3, 4
"""


@dataclass(slots=True)
class Chaos:
    """The processes that are killed, and how many were."""

    rng: random.Random
    folder: Path
    said: Callable[[str], None]
    kills: int = 0
    hit: dict[str, int] = field(default_factory=dict)

    def step(self, name: str, *, may_kill: bool) -> None:
        """Do a step by the command, with a worker beside it; killed and started again until it ends by itself."""
        workers = Processes(Path(settings.BASE_DIR), self.folder / "logs")
        workers.start("worker", worker_command(), with_keys=False)
        try:
            while not self._attempt(name, workers, may_kill=may_kill):
                may_kill = self.rng.random() < 0.8  # or a round would hardly ever end
        finally:
            workers.stop()

    def _attempt(self, name: str, workers: Processes, *, may_kill: bool) -> bool:
        command = subprocess.Popen(
            [sys.executable, "manage.py", "year_end", str(YEAR), name],
            cwd=settings.BASE_DIR,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        if may_kill and self._kill(name, command, workers):
            return _is_done(name)  # it may have been killed on its way out
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
        if self.rng.random() < 0.5:
            workers.kill("worker")
            workers.start("worker", worker_command(), with_keys=False)
        self.kills += 1
        self.hit[name] = self.hit.get(name, 0) + 1
        return True

    def round(self) -> None:
        """One year end, undisturbed and disturbed. Raises SystemExit when they differ."""
        self.step("freeze", may_kill=True)
        assess_run(YEAR, actor="chaos")
        expected = verify_run(YEAR, actor="chaos").digest
        undo_step(YEAR, actor="chaos")
        undo_step(YEAR, actor="chaos")
        self.step("assess", may_kill=True)
        self.step("verify", may_kill=True)
        run = latest_run(YEAR)
        if (run.state, run.digest) != ("verified", expected):
            raise SystemExit(f"{run} is {run.state} with digest {run.digest}; undisturbed it was {expected}.")
        self.said(f"{self.kills} kills {self.hit}: run {run.number} verified again, digest {run.digest[:16]}…")
        for _ in range(3):
            undo_step(YEAR, actor="chaos")


def _is_done(name: str) -> bool:
    """Whether a step ended before its process was killed."""
    newest = Step.objects.order_by("-pk").first()
    state = Run.objects.order_by("-number").values_list("state", flat=True).first()
    ended = newest is not None and newest.name == name and newest.finished_at is not None and not newest.error
    return ended and state == REACHES[name]


def make_year(*, residents: int, entries: int) -> None:
    """A year's entries of made-up purchases, with their totals."""
    version, _ = load_scheme(SHIPPED / "jp-2015.yaml", at=timezone.now(), actor="chaos")
    start_year(YEAR, version, deadline=None, at=timezone.now(), actor="chaos")
    with connection.cursor() as cursor:
        cursor.execute(ENTRIES, {"year": YEAR, "residents": residents, "entries": entries})
        cursor.execute(TOTALS)


def play(folder: Path, *, kills: int, seed: int, said: Callable[[str], None]) -> Chaos:
    """Rounds until so many processes were killed. Raises SystemExit when a digest is not the undisturbed one."""
    make_year(residents=40_000, entries=200_000)
    chaos = Chaos(random.Random(seed), folder, said)
    while chaos.kills < kills:
        chaos.round()
    return chaos

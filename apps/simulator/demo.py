"""The demo year from the tills to the refunds, through the real API, workers and runs, with a summary that checks."""

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection
from django.utils import timezone
from rich.progress import Progress, TaskID

from apps.audit.operations.sequencing import sequence, write_checkpoint
from apps.audit.queries.verifying import verify_log
from apps.kernel.errors import KanpuError
from apps.kernel.progress import Seen
from apps.purchases.models import Closing, Outcome
from apps.purchases.queries import counted_records
from apps.refunds.models import Run
from apps.refunds.operations.assessing import assess_run
from apps.refunds.operations.freezing import freeze
from apps.refunds.operations.verifying import verify_run
from apps.residents.key_documents import Kind
from apps.schemes.operations import SHIPPED, read_scheme_file
from apps.simulator import cast, database
from apps.simulator.baskets import YEAR, Basket, baskets, households
from apps.simulator.demo_payments import forget_files, pay_refunds
from apps.simulator.processes import Processes, free_port, sequencer_command, sweep_command, web_command, worker_command
from apps.simulator.tills import Reported, Server, Tap, play, send_again

TILL_PROCESSES: Final = 2
FAULT_AT: Final = 0.3  # of the purchases counted
ROTATE_AT: Final = {
    Kind.SEALING: 0.1,
    Kind.CARD_INDEX: 0.25,
    Kind.ISSUER: 0.4,
    Kind.VAULT: 0.55,
    Kind.VAULT_INDEX: 0.7,
}
POLL_S: Final = 0.25
MARKER: Final = ".kanpu-demo"


class DemoFailed(KanpuError):
    """Something did not come out as it must."""

    code = "demo_failed"


@dataclass(frozen=True, slots=True)
class Options:
    """What to play: the first `households` only, everything sent twice, workers killed and Redis emptied midway, every
    kind of key rotated on the way.
    """

    folder: Path
    scheme: str = "jp-2015"
    households: int | None = None
    twice: bool = False
    faults: bool = False
    rotate: bool = False


@dataclass(slots=True)
class Stage:
    """The demo while it plays."""

    options: Options
    processes: Processes
    progress: Progress
    started_s: float = field(default_factory=time.monotonic)
    faults: int = 0
    rotated: list[str] = field(default_factory=list)

    def bar(self, label: str, total: int | None) -> TaskID:
        return self.progress.add_task(label, total=total, rate="")

    def advance(self, bar: TaskID, done: int, since_s: float) -> None:
        rate = f"{done / max(time.monotonic() - since_s, 0.001):,.0f}/s"
        self.progress.update(bar, completed=done, rate=rate)


def play_year(options: Options, progress: Progress) -> dict[str, Any]:
    """Play the year from an empty database. Returns the summary. Raises DemoFailed and what went wrong on the way."""
    database.check_is_demo()
    folder = options.folder
    empty(folder)
    spool = folder / "tills"
    spool.mkdir(mode=0o700)
    database.recreate()
    stage = Stage(options, Processes(Path(settings.BASE_DIR), folder / "logs"), progress)
    bar = stage.bar("reading the year", None)
    household_ids = households()[: options.households]
    zone = ZoneInfo(read_scheme_file(SHIPPED / f"{options.scheme}.yaml").time_zone)
    chosen = None if options.households is None else household_ids
    year = list(baskets(chosen, scheme=options.scheme, zone=zone))
    stores = [(store, list(group)) for store, group in groupby(year, key=lambda basket: basket.store_id)]
    players = cast.set_up(folder, household_ids, [store for store, _ in stores], scheme=options.scheme)
    progress.update(bar, total=len(year), completed=len(year))
    with servers(stage) as url:
        server = Server(url, players.api_key, spool)
        records = len(year) + len(stores)  # each till closes
        figures = _send_and_count(stage, server, players, stores, records)
        figures["closings"] = _closings_that_agree(len(stores))
        if options.twice:
            figures["sent_again_duplicates"] = _send_twice(stage, server, records)
        run = _year_end(stage)
    if options.scheme == "jp-2015":
        cast.write_refunds(folder / "refunds.csv", run, players.residents)
    logins = cast.create_logins(folder / "accounts.json", run, players.residents)
    paying = stage.bar("paying", 1)
    payments = pay_refunds(stage.processes, folder, run, players.residents)
    stage.progress.update(paying, completed=1)
    return (
        _summary(stage, year, run, figures)
        | {"payments": payments}
        | _audit_log()
        | {
            "refunds_file": str(folder / "refunds.csv"),
            "test_api_key": players.test_api_key,
            "logins": [f"{login.username} / {login.password} ({login.shows})" for login in logins],
        }
    )


def empty(folder: Path) -> None:
    """Make the folder anew, if it is not there or an earlier demo made it. Raises DemoFailed."""
    if folder.exists() and any(folder.iterdir()) and not (folder / MARKER).exists():
        raise DemoFailed(f"{folder} holds files that no demo made. Name an empty folder, or move them away.")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(settings.KANPU_AUDIT_LOG, ignore_errors=True)
    forget_files()
    folder.mkdir(parents=True, mode=0o700)
    (folder / MARKER).write_text("made by the kanpu demo, which empties this folder\n")


@contextmanager
def servers(stage: Stage) -> Iterator[str]:
    """Web, workers and sweep while the block runs; yields the web server's address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    try:
        stage.processes.start("web", web_command(port), with_keys=False)
        _start_workers(stage.processes)
        stage.processes.start("audit-log", sequencer_command(), with_keys=False)
        stage.processes.wait_for(f"{url}/v1/keys")
        yield url
    finally:
        stage.processes.stop()


def _start_workers(processes: Processes) -> None:
    processes.start("worker", worker_command(), with_keys=True)
    processes.start("sweep", sweep_command(), with_keys=True)


def _send_and_count(
    stage: Stage, server: Server, players: cast.Cast, stores: list[tuple[int, list[Basket]]], total: int
) -> dict[str, float]:
    """Tills report while workers count, until all records are counted. Returns seconds for each."""
    started_s = time.monotonic()
    watch = threading.Thread(target=_watch_counting, args=(stage, total), daemon=True)
    watch.start()
    taps = ((store, [Tap(b, *players.chips[b.household_id]) for b in of_store]) for store, of_store in stores)
    sent = _follow(stage, "sending", total, play(server, taps, processes=TILL_PROCESSES))
    sent_s = time.monotonic() - started_s
    if sent.accepted + sent.duplicates != total:  # a batch whose answer was lost is sent again: duplicates
        raise DemoFailed(f"Of {total} records {sent.accepted} were accepted, {sent.rejected} rejected.")
    while watch.is_alive():
        stage.processes.check()
        watch.join(POLL_S)
    if stage.options.rotate and len(stage.rotated) != len(ROTATE_AT):
        raise DemoFailed(f"Of {len(ROTATE_AT)} kinds of keys only {stage.rotated} were rotated.")
    if counted_records() != total:
        raise DemoFailed(f"Of {total} records {counted_records()} were counted: see {stage.processes.logs}.")
    if decided := Outcome.objects.count():
        raise DemoFailed(f"{decided} purchases were held or rejected: see {stage.processes.logs}.")
    return {"sent_s": sent_s, "counted_s": time.monotonic() - started_s}


def _closings_that_agree(total: int) -> int:
    """Wait until every till's closing is compared. Raises DemoFailed when one differs."""
    end_s = time.monotonic() + 60
    while (agreeing := Closing.objects.filter(agrees=True).count()) < total:
        if time.monotonic() > end_s or Closing.objects.filter(agrees=False).exists():
            raise DemoFailed(f"Of {total} closings {agreeing} agree with the records.")
        time.sleep(POLL_S)
    return agreeing


def _follow(stage: Stage, label: str, total: int, tills: Iterator[Reported]) -> Reported:
    """Show tills finishing; returns their sum."""
    bar, since_s = stage.bar(label, total), time.monotonic()
    accepted = duplicates = rejected = 0
    for till in tills:
        accepted += till.accepted
        duplicates += till.duplicates
        rejected += till.rejected
        stage.advance(bar, accepted + duplicates + rejected, since_s)
    return Reported("all", accepted, duplicates, rejected)


def _watch_counting(stage: Stage, total: int) -> None:
    """Show how much is counted, until all is or nothing moves any more; strike and rotate keys on the way, if asked."""
    bar, since_s = stage.bar("counting", total), time.monotonic()
    struck, to_rotate = not stage.options.faults, list(ROTATE_AT.items()) if stage.options.rotate else []
    counted, moved_s = 0, time.monotonic()
    try:
        while (counted < total or to_rotate) and time.monotonic() - moved_s < 60:
            time.sleep(POLL_S)
            now_counted = counted_records()
            if now_counted != counted:
                counted, moved_s = now_counted, time.monotonic()
            stage.advance(bar, counted, since_s)
            if not struck and counted > total * FAULT_AT:
                struck = True
                _strike(stage, counted)
            if to_rotate and counted > total * to_rotate[0][1]:
                _rotate(stage, to_rotate.pop(0)[0], counted)
    finally:
        connection.close()


def _strike(stage: Stage, counted: int) -> None:
    """SIGKILL the workers and the sweep, empty Redis, and start them again."""
    stage.processes.kill("worker")
    stage.processes.kill("sweep")
    keys = database.empty_redis()
    stage.progress.console.print(f"fault: workers killed with {counted:,} counted, {keys} Redis keys deleted")
    stage.faults += 1
    _start_workers(stage.processes)


def _rotate(stage: Stage, kind: Kind, counted: int) -> None:
    """Rotate a kind of key as an operator does, beside tills and workers. Raises DemoFailed."""
    command = [sys.executable, "manage.py", "rotate_keys", kind, "--json"]
    done = subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DemoFailed(f"The {kind} key was not rotated: {done.stderr[-500:]}")
    result = json.loads(done.stdout)
    stage.progress.console.print(f"key: {result['key']} since {counted:,} counted, {result['moved']:,} rows moved")
    stage.rotated.append(result["key"])


def _send_twice(stage: Stage, server: Server, total: int) -> int:
    again = _follow(stage, "sending all again", total, send_again(server, processes=TILL_PROCESSES))
    if again.duplicates != total:
        raise DemoFailed(f"Sent again, {again.duplicates} of {total} records were duplicates.")
    return again.duplicates


def _year_end(stage: Stage) -> Run:
    freezing = stage.bar("freezing, archiving", 1)
    freeze(YEAR, actor=cast.ACTOR)
    stage.progress.update(freezing, completed=1)
    assess_run(YEAR, actor=cast.ACTOR, seen=_shown(stage, "assessing from totals"))
    return verify_run(YEAR, actor=cast.ACTOR, seen=_shown(stage, "assessing from the archive"))


def _shown(stage: Stage, label: str) -> Seen:
    bar = stage.bar(label, None)
    return lambda done, total: stage.progress.update(bar, completed=done, total=total)


def _audit_log() -> dict[str, Any]:
    """How long the audit log is, once it was checked whole. Raises DemoFailed."""
    sequence()
    write_checkpoint(settings.KANPU_AUDIT_LOG, settings.KANPU_AUDIT_KEY, at=timezone.now())
    found = verify_log(settings.KANPU_AUDIT_LOG)
    if found.findings:
        raise DemoFailed(f"The audit log is not whole: {found.findings[0].words}")
    return {"audit_log_entries": found.entries, "audit_log_checkpoints": found.checkpoints}


def _summary(stage: Stage, year: list[Basket], run: Run, figures: dict[str, float]) -> dict[str, Any]:
    return {
        "purchases": len(year),
        "lines": sum(basket.lines for basket in year),
        "closings_that_agree": int(figures["closings"]),
        "spend_minor": sum(sum(basket.amounts) for basket in year),
        "residents": run.residents,
        "refunded": run.refunded,
        "refund_minor": run.entitled_minor,
        "residents_at_the_cap": run.at_cap,
        "sent_per_s": round(len(year) / figures["sent_s"]),
        "counted_per_s": round(len(year) / figures["counted_s"]),
        "assessed_from_totals_s": round(run.assess_s, 2),
        "assessed_from_archive_s": round(run.verify_s, 2),
        "assessments_agree": not run.differing,
        "proof_root": run.root,
        "faults": stage.faults,
        "rotated": stage.rotated,
        "sent_again_duplicates": int(figures.get("sent_again_duplicates", 0)),
        "total_s": round(time.monotonic() - stage.started_s, 1),
    }

"""One play of the year: load, count and archive leg by leg, freeze, assess, verify; all measured and compared."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

from celery import current_app
from django.conf import settings
from django.db import connection
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from apps.accruals.models import ArchivePart
from apps.audit.models import Alarm
from apps.kernel.errors import KanpuError
from apps.purchases.queries import uncounted
from apps.simulator.processes import Processes, worker_command
from bench.year import ledger, processes
from bench.year.apart import Done, Helper, helper
from bench.year.sample import DAYS, REGIONS, YEAR, Sample, sales_of_days

STUCK_S: Final = 300  # without any progress
RING_EVERY_S: Final = 2  # as the sweep does
POLL_S: Final = 0.2
TASK: Final = "accruals.count_pending"
TABLES: Final = """
SELECT split_part(relname, '_', 1), sum(pg_total_relation_size(oid)) FROM pg_class
WHERE relkind = 'r' AND relname ~ '^(purchases|accruals|refunds|residents)_' GROUP BY 1
"""


class NotAsKnown(KanpuError):
    """The database says other sums than the generator's ledger, or counting stands still."""

    code = "not_as_known"


@dataclass(slots=True)
class Stage:
    """The play while it runs."""

    sample: Sample
    folder: Path
    progress: Progress
    workers: Processes
    loaders: list[Helper] = field(default_factory=list)
    legs: list[dict[str, Any]] = field(default_factory=list)

    @contextmanager
    def bar(self, label: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """A bar while the block runs; call what it yields with how much is done by now."""
        task = self.progress.add_task(label, total=total)
        try:
            yield lambda done: self.progress.update(task, completed=done)
        finally:
            self.progress.update(task, visible=False)

    def say(self, text: str) -> None:
        self.progress.console.print(text, highlight=False, soft_wrap=True)


def play(folder: Path, sample: Sample, *, legs: int) -> dict[str, Any]:
    """Play the year on an empty database. Returns all figures. Raises NotAsKnown, Failed and ProcessFailed."""
    with _progress() as progress:
        stage = Stage(sample, folder, progress, Processes(Path(settings.BASE_DIR), folder / "logs"))
        world = _apart(stage, "residents, cards, tills", "bench.year.world.build", sample, str(folder))
        before = _sizes()
        with _at_work(stage):
            with stage.bar("the year", sample.purchases) as show:
                for until in leg_ends(sample, legs):
                    stage.legs.append(_leg(stage, until))
                    show(sum(leg["sales"] for leg in stage.legs))
            end = {name: _step(stage, name) for name in ("frozen", "assessed", "verified")}
            known = ledger.added([_told(one, "bench.year.loading.totals").result for one in stage.loaders])
    return {
        "residents": sample.residents,
        "purchases": sample.purchases,
        "seed": sample.seed,
        "cores": os.cpu_count() or 0,
        "world": asdict(world),
        "legs": stage.legs,
        "year_end": end,
        "known": known,
        "checked": _checked(known, end["verified"]["result"]),
        "bytes": {name: size - before.get(name, 0) for name, size in _sizes().items()},
        "archive_bytes": sum(file["bytes"] for part in ArchivePart.objects.all() for file in part.files),
    }


def leg_ends(sample: Sample, legs: int) -> list[int]:
    """The days at whose beginning each leg ends, so that legs have about the same number of sales."""
    daily = [sales_of_days(sample.of_region(region).purchases) for region in range(REGIONS)]
    so_far = list(accumulate(map(sum, zip(*daily, strict=True))))
    ends = [
        next(day for day, sold in enumerate(so_far, 1) if sold * legs >= sample.purchases * leg)
        for leg in range(1, legs + 1)
    ]
    ends[-1] = len(DAYS)
    return sorted(set(ends))


@contextmanager
def _at_work(stage: Stage) -> Iterator[None]:
    """Two worker processes and a loader a region, while the block runs."""
    stage.workers.start("worker", worker_command(), with_keys=True)
    try:
        for region in range(REGIONS):
            stage.loaders.append(helper(f"loader {region}"))
            stage.loaders[-1].tell("bench.year.loading.begin", stage.sample, region, str(stage.folder / "cards.csv"))
        for one in stage.loaders:
            one.done(idle=stage.workers.check)
        yield
    finally:
        for one in stage.loaders:
            one.end()
        stage.workers.stop()


def _leg(stage: Stage, until: int) -> dict[str, Any]:
    """Load the days before `until`, count them, archive them."""
    leg = {"day": until, **_load(stage, until)}
    leg["count"] = _count(stage, leg["records"])
    leg["archive"] = _archived(stage)
    leg |= _place()
    sold = sum(one["sales"] for one in [*stage.legs, leg])
    stage.say(
        f"{sold:>12,} purchases: loaded {leg['sales'] / leg['load']['wall_s']:,.0f}/s, counted"
        f" {leg['sales'] / leg['count']['wall_s']:,.0f}/s, {leg['database_bytes'] / 1e9:.2f} GB,"
        f" peaks: loader {leg['load']['peak_mb']}, worker {leg['count']['peak_mb']},"
        f" archive {leg['archive']['peak_mb']} MB"
    )
    return leg


def _load(stage: Stage, until: int) -> dict[str, Any]:
    begun_s, server = time.perf_counter(), _server_cpu_s()
    loaded = [0]
    wanted = sum(sum(sales_of_days(stage.sample.of_region(r).purchases)[_day(stage) : until]) for r in range(REGIONS))
    with stage.bar(f"loading to {DAYS[until - 1]:%d %b}", wanted) as show:

        def seen(records: int) -> None:
            loaded[0] += records
            show(loaded[0])

        for one in stage.loaders:
            one.tell("bench.year.loading.load", until)
        done = [one.done(seen=seen, idle=stage.workers.check) for one in stage.loaders]
    sums = {
        name: sum(getattr(one.result, name) for one in done)
        for name in ("sales", "records", "batches", "sent_bytes", "make_cpu_s", "accept_cpu_s")
    }
    times = {"make_cpu_s": sums.pop("make_cpu_s"), "accept_cpu_s": sums.pop("accept_cpu_s")}
    return sums | {
        "load": times
        | {
            "wall_s": time.perf_counter() - begun_s,
            "db_cpu_s": _server_cpu_s() - server,
            "peak_mb": max(one.peak_mb for one in done),
        }
    }


def _day(stage: Stage) -> int:
    return int(stage.legs[-1]["day"]) if stage.legs else 0


def _count(stage: Stage, records: int) -> dict[str, Any]:
    """Ring for both workers, and wait until nothing is uncounted."""
    family = stage.workers.running["worker"].pid
    begun_s, server, before = time.perf_counter(), _server_cpu_s(), processes.of_family(family)
    left, moved_s, rung_s = records, begun_s, 0.0
    with stage.bar("counting", records) as show:
        while left:
            now_s = time.perf_counter()
            if now_s - rung_s > RING_EVERY_S:
                rung_s = now_s
                for _ in range(2):
                    current_app.send_task(TASK, expires=RING_EVERY_S)
            time.sleep(POLL_S)
            stage.workers.check()
            waiting = uncounted()[1]
            if waiting < left:
                left, moved_s = waiting, now_s
            elif now_s - moved_s > STUCK_S:
                raise NotAsKnown(
                    f"{left:,} records wait and none was counted for {STUCK_S} s: see {stage.workers.logs}."
                )
            show(records - left)
    after = processes.of_family(family)
    return {
        "wall_s": time.perf_counter() - begun_s,
        "worker_cpu_s": after.cpu_s - before.cpu_s,
        "db_cpu_s": _server_cpu_s() - server,
        "peak_mb": after.peak_mb,
    }


def _archived(stage: Stage) -> dict[str, Any]:
    server = _server_cpu_s()
    done = _apart(stage, "archiving", "bench.year.steps.archive")
    return asdict(done) | {"db_cpu_s": _server_cpu_s() - server}


def _step(stage: Stage, name: str) -> dict[str, Any]:
    """A step of the year end, in a process of its own; the workers' CPU is counted, too."""
    family = stage.workers.running["worker"].pid
    server, before = _server_cpu_s(), processes.of_family(family)
    done = _apart(stage, f"year end: {name}", f"bench.year.steps.{name}")
    after = processes.of_family(family)
    stage.say(f"{name:>12}: {done.wall_s:,.1f} s, {done.peak_mb} MB")
    figures = {"db_cpu_s": _server_cpu_s() - server, "worker_cpu_s": after.cpu_s - before.cpu_s}
    return asdict(done) | figures | {"worker_peak_mb": after.peak_mb}


def _apart(stage: Stage, label: str, place: str, *arguments: object) -> Done:
    one = helper(label)
    try:
        with stage.bar(label, None) as show:
            task = stage.progress.task_ids[-1]

            def seen(report: tuple[int, int]) -> None:
                stage.progress.update(task, total=report[1] or None)
                show(report[0])

            one.tell(place, *arguments)
            return one.done(seen=seen)
    finally:
        one.end()


def _told(one: Helper, place: str) -> Done:
    one.tell(place)
    return one.done()


def _server_cpu_s() -> float:
    """CPU seconds of the database's server so far; 0 when it is on another machine."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        cost = processes.of_postgres(cursor.fetchone()[0])
    return cost.cpu_s if cost else 0.0


def _place() -> dict[str, int]:
    """Bytes of the whole database, of all its log so far, and the greatest memory of a backend of its own."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_backend_pid(), pg_database_size(current_database()), pg_current_wal_lsn() - '0/0'::pg_lsn"
        )
        backend, size, log = cursor.fetchone()
    cost = processes.of_postgres(backend)
    return {"database_bytes": size, "wal_bytes": int(log), "backend_mb": cost.peak_mb if cost else 0}


def _sizes() -> dict[str, int]:
    """Bytes of each app's tables, indexes included, and of the whole database."""
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        sizes = {name: int(size) for name, size in cursor.fetchall()}
    return sizes | {"database": _place()["database_bytes"], "wal": _place()["wal_bytes"]}


def _checked(known: dict[str, Any], run: dict[str, Any]) -> dict[str, Any]:
    """What the generator knows beside what the database says. Raises NotAsKnown where they differ."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT kind, count(*) FROM purchases_purchase WHERE tax_year = %s GROUP BY kind", [YEAR])
        kinds = dict(cursor.fetchall())
        cursor.execute(
            "SELECT tier, sum(a) FROM accruals_total, unnest(amounts_minor) a WHERE tax_year = %s GROUP BY tier", [YEAR]
        )
        spend = {tier: int(amount) for tier, amount in cursor.fetchall()}
        cursor.execute("SELECT count(*) FROM accruals_entry WHERE tax_year = %s", [YEAR])
        entries = cursor.fetchone()[0]
    said = {
        "sales": kinds.get("sale", 0), "voids": kinds.get("void", 0), "returns": kinds.get("return", 0),
        "entries": entries, "verified_entries": run["entries"], "spend_minor": spend,
        "refund_minor": run["refund_minor"], "refunded": run["refunded"], "differing": run["differing"],
        "alarms": Alarm.objects.count(),
    }  # fmt: skip
    expected = known | {"verified_entries": known["entries"], "differing": 0, "alarms": 0}
    wrong = {name: (expected[name], value) for name, value in said.items() if expected[name] != value}
    if wrong:
        raise NotAsKnown(f"The generator knows one thing and the database says another: {wrong}")
    return said


def _progress() -> Progress:
    columns = (TextColumn("{task.description:<28}"), BarColumn(bar_width=30), MofNCompleteColumn())
    return Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True))

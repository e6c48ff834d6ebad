"""How fast a year end is: assessing from totals, beside one bare SQL pass over them, and verifying from an archive."""

import hashlib
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import duckdb
from celery import current_app
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from apps.accruals.operations.years import freeze_run, start_year
from apps.refunds.models import Refund, Run
from apps.refunds.operations.approving import undo_step
from apps.refunds.operations.assessing import assess_run
from apps.refunds.operations.verifying import checked_files
from apps.refunds.proofs import new_secret
from apps.refunds.verification import second_assessment
from apps.schemes.operations import SHIPPED, load_scheme
from apps.simulator.processes import Processes, worker_command

YEAR: Final = 2017
TOTALS: Final = """
INSERT INTO accruals_total (resident_ref, tax_year, run, tier, amounts_minor, purchases)
SELECT ref, %(year)s, 1, tier,
       ARRAY(SELECT hashint8(month * 7919 + n) & 32767 FROM generate_series(1, 12) month), array_fill(5, ARRAY[12])
FROM (SELECT n, gen_random_uuid() AS ref FROM generate_series(1, %(residents)s) n OFFSET 0) r,
     unnest(ARRAY['reduced', 'standard']) tier
"""
MONTHS: Final = " + ".join(f"amounts_minor[{month}]" for month in range(1, 13))
# The least that any assessment must do: read the totals, multiply, round, cap. Nothing is written.
BARE: Final = f"""
SELECT count(*), sum(refund) FROM (
    SELECT least(div(sum({MONTHS}) FILTER (WHERE tier = 'reduced') * 2, 110), 4000) AS refund
    FROM accruals_total WHERE tax_year = {YEAR} AND run = 1 GROUP BY resident_ref) r
"""
ENTRIES: Final = """
COPY (
    SELECT md5((random() * {residents})::INT::VARCHAR || 'resident')::UUID AS resident_ref,
           (i % 457)::INTEGER AS terminal_id, i::INTEGER AS seq, 1::SMALLINT AS run, 1::SMALLINT AS part,
           {month}::TINYINT AS month,
           (TIMESTAMP '{first}' + to_seconds((random() * {seconds})::INT)) AS sold_at,
           CASE WHEN i % 3 = 0 THEN ['reduced', 'standard'] ELSE ['reduced'] END AS tiers,
           CASE WHEN i % 3 = 0 THEN [100 + i % 3000, 50 + i % 900]::BIGINT[]
                ELSE [100 + i % 3000]::BIGINT[] END AS amounts_minor,
           (i % 457)::INTEGER AS sale_terminal_id, i::INTEGER AS sale_seq
    FROM range({month} * 10000000, {month} * 10000000 + {entries}) t (i)
    ORDER BY resident_ref, terminal_id, seq
) TO '{path}' (FORMAT parquet, COMPRESSION zstd)
"""


def measure(
    folder: Path, *, residents: int, entries: int, rounds: int, said: Callable[[str], None]
) -> dict[str, int | float]:
    """Medians of some rounds, all in one run on the same servers; figures per second of the wall's clock."""
    said(f"making totals of {residents:,} residents")
    run = _world(residents)
    bare, assessed = [], []
    with _worker(folder):
        for _ in range(rounds):
            bare.append(_timed(lambda: _query(BARE)))
            assessed.append(_timed(lambda: assess_run(YEAR, actor="bench")))
            assert Refund.objects.count() == residents
            undo_step(YEAR, actor="bench")
            _query("VACUUM refunds_refund")
            said(f"bare {residents / bare[-1]:,.0f}/s, assessed {residents / assessed[-1]:,.0f} residents/s")
    said(f"making an archive of {entries:,} entries")
    files = _archive(folder / "entries", residents, entries)
    verified = []
    for _ in range(rounds):
        verified.append(_timed(lambda: _verify(run, files, entries)))
        said(f"verified {entries / verified[-1]:,.0f} entries/s")
    return {
        "assess_residents_per_s": round(residents / statistics.median(assessed)),
        "bare_sql_residents_per_s": round(residents / statistics.median(bare)),
        "assess_to_bare": round(statistics.median(b / a for b, a in zip(bare, assessed, strict=True)), 2),
        "verify_entries_per_s": round(entries / statistics.median(verified)),
    }


def _world(residents: int) -> Run:
    version, _ = load_scheme(SHIPPED / "jp-2015.yaml", at=timezone.now(), actor="bench")
    start_year(YEAR, version, deadline=None, at=timezone.now(), actor="bench")
    with connection.cursor() as cursor:
        cursor.execute(TOTALS, {"year": YEAR, "residents": residents})
    _query("VACUUM ANALYZE accruals_total")
    with transaction.atomic():
        number = freeze_run(YEAR, now=timezone.now())
        return Run.objects.create(
            tax_year_id=YEAR, number=number, cutoff_at=timezone.now(), frozen_by="bench", secret=new_secret()
        )


@contextmanager
def _worker(folder: Path) -> Iterator[None]:
    """A Celery worker beside this process, which takes shards too: two at work on two cores."""
    processes = Processes(Path(settings.BASE_DIR), folder / "logs")
    processes.start("worker", [*worker_command(), "--concurrency", "1"], with_keys=False)
    try:
        while not current_app.control.ping(timeout=0.5):
            processes.check()
        yield
    finally:
        processes.stop()


def _archive(folder: Path, residents: int, entries: int) -> dict[Path, str]:
    """A file a month as the archive has them, each with its SHA-256."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    files = [folder / f"month-{month:02}.parquet" for month in range(1, 13)]
    with duckdb.connect() as duck:
        duck.execute("SELECT setseed(0.5)")
        for month, path in enumerate(files, start=1):
            of_month = entries // 12 + (entries % 12 if month == 12 else 0)
            span = {"first": f"{datetime(YEAR, month, 2, tzinfo=UTC):%Y-%m-%d}", "seconds": 25 * 86_400}
            duck.execute(ENTRIES.format(residents=residents, month=month, entries=of_month, path=path, **span))
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _verify(run: Run, files: dict[Path, str], entries: int) -> None:
    """What verifying does with the archive: every file's SHA-256, and every resident's refund."""
    checked_files({str(path): sha256 for path, sha256 in files.items()})
    with second_assessment(list(files), run.tax_year.scheme_version.scheme(), YEAR) as second:
        assert second.entries == entries


def _timed(work: Callable[[], object]) -> float:
    started_s = time.perf_counter()
    work()
    return time.perf_counter() - started_s


def _query(statement: str) -> object:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone() if cursor.description else None

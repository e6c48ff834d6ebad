"""From accepted to counted: how fast, how soon, and how much of the disk and of memory it takes."""

import statistics
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from django.db import connection
from django.utils import timezone

from apps.purchases.queries import counted_records
from apps.simulator.processes import sweep_command, worker_command
from bench.memory import peak_mb
from bench.shop import A_BATCH, YEAR

if TYPE_CHECKING:
    from bench.hot_path import Bench

ARRIVING_PER_S: Final = 5_000
COUNTED_WITHIN_S: Final = 600
SIZED: Final = ("purchases_purchase", "accruals_entry", "accruals_total")


def measure(bench: "Bench", purchases: int, rounds: int) -> None:
    """Count what waits, in rounds; then what arrives; then weigh it."""
    _forget(bench)
    rates = []
    for number in range(rounds):
        rates.append(_counted_per_s(bench, purchases, last=number == rounds - 1))
        bench.said(f"round {number + 1}: counted {rates[-1]:,.0f} purchases/s")
        if number == 0:
            bench.figures["worker_rss_mb_at_first"] = peak_mb(bench.processes, "worker")
        bench.processes.kill("worker")
    bench.figures["count_per_s"] = round(statistics.median(rates))
    _lag(bench, min(purchases // 3, 75_000))
    bench.figures["worker_rss_mb"] = peak_mb(bench.processes, "worker")
    bench.processes.kill("worker")
    _weigh(bench)


def _forget(bench: "Bench") -> None:
    """Empty what the tokens that only look like some were accepted into; the chains go on."""
    with connection.cursor() as cursor:
        for table in ("purchases_purchase", "purchases_batch"):
            cursor.execute(f"TRUNCATE {table}")
    bench.shop.sold_minor = 0


def _counted_per_s(bench: "Bench", purchases: int, *, last: bool) -> float:
    """What waits when workers start, from the end of the first transaction to that of the last."""
    before = counted_records()
    bench.report(purchases, real=True)
    bench.processes.start("worker", worker_command(), with_keys=True)
    rate = _watch(before, before + purchases)
    if rate is None:
        raise SystemExit(f"{purchases} purchases were counted before it was seen that workers are up: count more")
    if last:
        _check_totals(bench)
    return rate


def _check_totals(bench: "Bench") -> None:
    counted = _one("SELECT coalesce(sum(a), 0) FROM accruals_total, unnest(amounts_minor) a WHERE tax_year = %s", YEAR)
    if counted != bench.shop.sold_minor:
        raise SystemExit(f"totals are {counted}, sold was {bench.shop.sold_minor}")


def _watch(first: int, last: int) -> float | None:
    """The rate of counting, without the time until the first claim is done; None when that was all."""
    begun: tuple[float, int] | None = None
    end_s = time.monotonic() + COUNTED_WITHIN_S
    while (now := counted_records()) < last:
        if time.monotonic() > end_s:
            raise SystemExit(f"counting stands at {now - first} of {last - first}")
        if begun is None and now > first:
            begun = (time.monotonic(), now)
        time.sleep(0.02)
    return (last - begun[1]) / (time.monotonic() - begun[0]) if begun else None


def _lag(bench: "Bench", purchases: int) -> None:
    """From accepted to counted while so many a second arrive."""
    bench.processes.start("worker", worker_command(), with_keys=True)
    bench.processes.start("sweep", sweep_command(), with_keys=True)
    first = counted_records()
    bench.report(A_BATCH, real=True)
    _watch(first, first + A_BATCH)  # now they are up
    before, since = counted_records(), timezone.now()
    bench.report(purchases, per_s=ARRIVING_PER_S / A_BATCH, real=True)
    _watch(before, before + purchases)
    _check_totals(bench)
    bench.figures["lag_p99_s"] = _lag_p99_s(since)
    bench.said(f"lag p99 {bench.figures['lag_p99_s']} s")


def _lag_p99_s(since: datetime) -> float:
    p99 = _one(
        "SELECT percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM counted_at - received_at))"
        " FROM purchases_batch WHERE received_at >= %s",
        since,
    )
    return round(float(p99), 2)


def _weigh(bench: "Bench") -> None:
    """Bytes of a counted purchase: its row, its entry and its share of totals, with their indexes."""
    purchases = _one("SELECT count(*) FROM purchases_purchase")
    on_disk = sum(_one("SELECT pg_total_relation_size(%s::regclass)", f"{table}_{YEAR}") for table in SIZED)
    bench.figures["bytes_per_purchase"] = round(on_disk / purchases)


def _one(statement: str, *values: str | int | datetime) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement, list(values))
        row = cursor.fetchone()
    return row[0] if row else 0

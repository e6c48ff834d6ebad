"""The path of a purchase: accepted over HTTP, counted by workers; beside how it is usually written, and the least."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db import connection

from apps.simulator.processes import Processes, free_port, web_command
from bench import counting
from bench.load import Sent, request_bytes, send
from bench.memory import peak_mb
from bench.rivals.models import Purchase
from bench.shop import A_BATCH, Shop, open_shop

CONNECTIONS: Final = 4
PATHS: Final = {"accept": "/v1/purchases", "typical": "/bench/typical", "bare": "/bench/bare"}
TABLES: Final = {"accept": "purchases_purchase", "typical": "rivals_purchase", "bare": "rivals_purchase"}


@dataclass(slots=True)
class Bench:
    """The servers at work and what was measured."""

    said: Callable[[str], None]
    shop: Shop
    processes: Processes
    port: int
    figures: dict[str, int | float] = field(default_factory=dict)

    def lanes(self, path: str, purchases: int, *, size: int = A_BATCH, real: bool = False) -> list[list[bytes]]:
        """Requests for so many purchases, each terminal's on one connection."""
        assert purchases % size == 0, f"{purchases} purchases are no whole requests"
        lanes: list[list[bytes]] = [[] for _ in range(CONNECTIONS)]
        terminals, chain = list(self.shop.keys), "own" if path == PATHS["accept"] else "rivals"
        for number in range(purchases // size):
            terminal = terminals[number % len(terminals)]
            body = self.shop.batch(chain, terminal, size, real=real)
            lanes[number % len(terminals) % CONNECTIONS].append(request_bytes(path, self.shop.api_key, body))
        return lanes

    def report(self, purchases: int, *, size: int = A_BATCH, per_s: float = 0, real: bool = False) -> Sent:
        """Report so many purchases as tills do."""
        return self.sent(self.lanes(PATHS["accept"], purchases, size=size, real=real), per_s=per_s)

    def sent(self, lanes: Sequence[Sequence[bytes]], *, per_s: float = 0) -> Sent:
        """Send, and fail on any answer that is not a full acceptance."""
        sent = send(self.port, lanes, per_s=per_s)
        if sent.wrong:
            raise SystemExit(f"{len(sent.wrong)} answers were wrong, the first: {sent.wrong[0]}")
        return sent


def measure(
    folder: Path, *, purchases: int, waiting: int, rounds: int, said: Callable[[str], None]
) -> dict[str, int | float]:
    """All figures of the path; each the median of the rounds, which take turns.

    `purchases` are those that a round accepts, `waiting` those that wait for the workers of a round.
    """
    said("enrolling terminals, issuing cards")
    shop = open_shop(folder)
    with connection.schema_editor() as editor:
        editor.create_model(Purchase)
    with _web(folder) as (processes, port):
        bench = Bench(said, shop, processes, port)
        _accepting(bench, purchases, rounds)
        _latency(bench, purchases, rounds)
        bench.figures["api_rss_mb"] = peak_mb(processes, "web")
        counting.measure(bench, waiting, rounds)
    return bench.figures


@contextmanager
def _web(folder: Path) -> Iterator[tuple[Processes, int]]:
    processes, port = Processes(Path(settings.BASE_DIR), folder / "logs"), free_port()
    processes.start("web", web_command(port), with_keys=False)
    try:
        processes.wait_for(f"http://127.0.0.1:{port}/v1/keys")
        yield processes, port
    finally:
        processes.stop()


def _accepting(bench: Bench, purchases: int, rounds: int) -> None:
    """Accepted a second, by turns with both rivals; what each stored is counted after each round."""
    found: dict[str, list[float]] = {name: [] for name in PATHS}
    _warm_up(bench)
    for number in range(rounds):
        for name in PATHS:
            found[name].append(_accepted_per_s(bench, name, purchases // 4 if name == "typical" else purchases))
        told = ", ".join(f"{name} {rates[-1]:,.0f}" for name, rates in found.items())
        bench.said(f"round {number + 1}: purchases/s: {told}")
        if number == 0:
            bench.figures["api_rss_mb_at_first"] = peak_mb(bench.processes, "web")
    for name, rates in found.items():
        bench.figures[f"{name}_per_s"] = round(statistics.median(rates))
    for rival in ("typical", "bare"):
        ratios = (own / other for own, other in zip(found["accept"], found[rival], strict=True))
        bench.figures[f"accept_to_{rival}"] = round(statistics.median(ratios), 2)


def _warm_up(bench: Bench) -> None:
    """Let every thread of the web server have its connection and its prepared statements."""
    for name, path in PATHS.items():
        bench.sent(bench.lanes(path, 40 * A_BATCH))
        bench.said(f"warmed up: {name}")


def _accepted_per_s(bench: Bench, name: str, purchases: int) -> float:
    lanes, before = bench.lanes(PATHS[name], purchases), _rows(TABLES[name])
    rate = purchases / bench.sent(lanes).seconds
    if (stored := _rows(TABLES[name]) - before) != purchases:
        raise SystemExit(f"{name} stored {stored} of {purchases} purchases")
    return rate


def _latency(bench: Bench, purchases: int, rounds: int) -> None:
    rate, found = bench.figures["accept_per_s"] / 2 / A_BATCH, []
    for number in range(rounds):
        at_half = bench.report(purchases // A_BATCH // 2 * A_BATCH, per_s=rate).percentile_ms(99)
        single = bench.report(min(2_000, purchases // 50), size=1, per_s=200).percentile_ms(99)
        bench.said(f"round {number + 1}: p99 {at_half} ms at half the rate, {single} ms one by one")
        found.append((at_half, single))
    for name, figures in zip(("accept_p99_ms", "single_p99_ms"), zip(*found, strict=True), strict=True):
        bench.figures[name] = statistics.median(figures)


def _rows(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        row: tuple[Any, ...] | None = cursor.fetchone()
    return int(row[0]) if row else 0

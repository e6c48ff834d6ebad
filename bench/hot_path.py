"""The path of a purchase: accepted over HTTP, counted by workers; beside how it is usually written, and the least."""

import json
import os
import secrets
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.apps import apps
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from kanpu_pos import Sale, SealingKey, VirtualCard, VirtualReader, digest_0, digests, from_json, line, sign
from kanpu_pos.base64url import encode

from apps.accruals.operations.years import start_year
from apps.merchants.models import Merchant
from apps.merchants.operations import create_merchant, enrol_terminal
from apps.purchases.queries import counted_records
from apps.residents.models import SealingKey as PublicKey
from apps.residents.operations import issue_cards, make_keys, register_residents
from apps.schemes.operations import SHIPPED, load_scheme
from apps.simulator.processes import Processes, free_port, sweep_command, web_command, worker_command
from bench.load import Sent, request_bytes, send

YEAR: Final = 2017
TERMINALS: Final = 200
A_BATCH: Final = 100
CONNECTIONS: Final = 4
RESIDENTS: Final = 5_000
PATHS: Final = {"accept": "/v1/purchases", "typical": "/bench/typical", "bare": "/bench/bare"}
TABLES: Final = {"accept": "purchases_purchase", "typical": "rivals_purchase", "bare": "rivals_purchase"}


@dataclass(slots=True)
class Shop:
    """The terminals that send: their keys, where each stands, and cards to tap."""

    api_key: str
    keys: dict[str, Ed25519PrivateKey]
    reader: VirtualReader
    cards: list[VirtualCard]
    next_seq: dict[tuple[str, str], int] = field(default_factory=dict)
    digest: dict[tuple[str, str], bytes] = field(default_factory=dict)
    sold_minor: int = 0

    def batch(self, chain: str, terminal: str, size: int, *, real: bool) -> bytes:
        """A terminal's next sealed batch as JSON, on one of its chains.

        Without `real` its tokens only look like some: accepting opens none.
        """
        place = (chain, terminal)
        first = self.next_seq.get(place, 1)
        records = [self._sale(terminal, seq, real=real) for seq in range(first, first + size)]
        start = self.digest.get(place) or digest_0(terminal)
        *_, head = digests(start, (line(from_json(record)) for record in records))
        self.next_seq[place], self.digest[place] = first + size, head
        seal = sign(self.keys[terminal], head)
        written = json.dumps({"head": encode(seal.head), "signature": encode(seal.signature)}).encode()
        return b'{"terminal": "%b", "purchases": [%b], "seal": %b}' % (terminal.encode(), b",".join(records), written)

    def _sale(self, terminal: str, seq: int, *, real: bool) -> bytes:
        amount = 100 + seq * 7919 % 9_000
        self.sold_minor += amount
        day = date(YEAR, 1, 1) + timedelta(days=seq % 360)
        if real:
            card = self.cards[seq * 31 % len(self.cards)]
            token = self.reader.seal(card, terminal=terminal, seq=seq, now=datetime.now(UTC))
        else:
            token = "kt1." + encode(secrets.token_bytes(85))
        lines = (("reduced", amount - 40), ("standard", 40)) if seq % 3 == 0 else (("reduced", amount),)
        return Sale(seq=seq, at=f"{day}T12:{seq % 60:02}:00+09:00", lines=lines, card=token).to_json()


@dataclass(slots=True)
class Bench:
    """The servers at work and what was measured."""

    folder: Path
    said: Callable[[str], None]
    shop: Shop
    processes: Processes
    port: int
    figures: dict[str, float] = field(default_factory=dict)
    rounds: dict[str, list[float]] = field(default_factory=dict)

    def lanes(self, path: str, purchases: int, *, size: int = A_BATCH, real: bool = False) -> list[list[bytes]]:
        """Requests for so many purchases, each terminal's on one connection."""
        lanes: list[list[bytes]] = [[] for _ in range(CONNECTIONS)]
        terminals, chain = list(self.shop.keys), "own" if path == PATHS["accept"] else "rivals"
        for number in range(purchases // size):
            terminal = terminals[number % len(terminals)]
            body = self.shop.batch(chain, terminal, size, real=real)
            lanes[number % len(terminals) % CONNECTIONS].append(request_bytes(path, self.shop.api_key, body))
        return lanes

    def sent(self, lanes: Sequence[Sequence[bytes]], *, per_s: float = 0) -> Sent:
        """Send, and fail on any answer that is not a full acceptance."""
        sent = send(self.port, lanes, per_s=per_s)
        if sent.wrong:
            raise SystemExit(f"{len(sent.wrong)} answers were wrong, the first: {sent.wrong[0]}")
        return sent


def measure(folder: Path, *, purchases: int, rounds: int, said: Callable[[str], None]) -> dict[str, float]:
    """All figures of the path; each the median of the rounds, which take turns."""
    said("enrolling terminals, issuing cards")
    shop = _shop(folder)
    with _web(folder) as (processes, port):
        bench = Bench(folder, said, shop, processes, port)
        _accepting(bench, purchases, rounds)
        _latency(bench, purchases)
        bench.figures["api_rss_mb"] = _peak_mb(processes, "web")
        _counting(bench, purchases, rounds)
        _lag(bench, purchases)
        bench.figures["worker_rss_mb"] = _peak_mb(processes, "worker")
        _sizes(bench)
    return bench.figures


def _shop(folder: Path) -> Shop:
    now = timezone.now()
    version, _ = load_scheme(SHIPPED / "jp-2015.yaml", at=now, actor="bench")
    start_year(YEAR, version, deadline=now.date() + timedelta(days=700), at=now, actor="bench")
    make_keys(
        Path(str(settings.KANPU_KEYRING)),
        vault_path=Path(str(settings.KANPU_VAULT_KEYS)),
        seal_until=now + timedelta(days=30),
        at=now,
        actor="bench",
    )
    register_residents([date(YEAR, 1, 1)] * RESIDENTS, at=now, actor="bench")
    issue_cards(folder / "cards.csv", valid_from=None, at=now, actor="bench")
    merchant, api_key = create_merchant("Bench", at=now, actor="bench")
    with connection.schema_editor() as editor:
        editor.create_model(apps.get_model("rivals", "Purchase"))
    return Shop(api_key, _terminals(merchant), VirtualReader([_sealing_key()]), _cards(folder / "cards.csv"))


def _cards(path: Path) -> list[VirtualCard]:
    from kanpu_pos import read_personalisation  # noqa: PLC0415

    return [row.card() for row in read_personalisation(path)]


@transaction.atomic
def _terminals(merchant: Merchant) -> dict[str, Ed25519PrivateKey]:
    keys = {}
    for _ in range(TERMINALS):
        key = Ed25519PrivateKey.generate()
        number = len(keys) + 1
        code = f"bench-{number}"
        public_key = key.public_key().public_bytes_raw()
        row = enrol_terminal(
            merchant, code, store_name=f"Store {number}", public_key=public_key, at=timezone.now(), actor="bench"
        )
        assert row.pk == number  # the bare view takes the terminal's number from its code
        keys[code] = key
    return keys


def _sealing_key() -> SealingKey:
    key = PublicKey.objects.get(mode="live")
    text = encode(bytes(key.public_key))
    return SealingKey.from_json({"id": key.pk, "public_key": text, "seal_until": key.seal_until.isoformat()})


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
    for number in range(rounds):
        for name, path in PATHS.items():
            some = purchases // 4 if name == "typical" else purchases
            before = _rows(TABLES[name])
            lanes = bench.lanes(path, some)
            rate = some / bench.sent(lanes).seconds
            assert _rows(TABLES[name]) - before == some, f"{name} lost purchases"
            bench.rounds.setdefault(f"{name}_per_s", []).append(rate)
            bench.said(f"round {number + 1}: {name} {rate:,.0f} purchases/s")
    for name, rates in bench.rounds.items():
        bench.figures[name] = round(statistics.median(rates))
    pairs = list(
        zip(bench.rounds["accept_per_s"], bench.rounds["typical_per_s"], bench.rounds["bare_per_s"], strict=True)
    )
    bench.figures["accept_to_typical"] = round(statistics.median(a / t for a, t, _ in pairs), 1)
    bench.figures["accept_to_bare"] = round(statistics.median(a / b for a, _, b in pairs), 2)


def _latency(bench: Bench, purchases: int) -> None:
    rate = bench.figures["accept_per_s"] / 2 / A_BATCH
    bench.figures["accept_p99_ms"] = bench.sent(bench.lanes(PATHS["accept"], purchases), per_s=rate).percentile_ms(99)
    singles = bench.lanes(PATHS["accept"], 2_000, size=1)
    bench.figures["single_p99_ms"] = bench.sent(singles, per_s=200).percentile_ms(99)
    bench.said(
        f"p99 {bench.figures['accept_p99_ms']} ms at half the rate, {bench.figures['single_p99_ms']} ms one by one"
    )


def _counting(bench: Bench, purchases: int, rounds: int) -> None:
    """Counted a second: what waits when workers start, from the first transaction's end to the last's."""
    _forget(bench)
    for number in range(rounds):
        before, sold_before = counted_records(), bench.shop.sold_minor
        bench.sent(bench.lanes(PATHS["accept"], purchases, real=True))
        bench.processes.start("worker", worker_command(), with_keys=True)
        rate = _watch(before, before + purchases)
        assert _counted_minor() - (sold_before if number else 0) >= 0
        bench.processes.kill("worker")
        bench.rounds.setdefault("count_per_s", []).append(rate)
        bench.said(f"round {number + 1}: counted {rate:,.0f} purchases/s")
    assert _counted_minor() == bench.shop.sold_minor, "totals are not what was sold"
    bench.figures["count_per_s"] = round(statistics.median(bench.rounds["count_per_s"]))


def _forget(bench: Bench) -> None:
    """Empty what the tokens that only look like some were accepted into; the chains go on."""
    with connection.cursor() as cursor:
        for table in ("purchases_purchase", "purchases_batch"):
            cursor.execute(f"TRUNCATE {table}")
    bench.shop.sold_minor = 0


def _watch(first: int, last: int) -> float:
    """The rate of counting, without the time until the first claim is done."""
    begun: tuple[float, int] | None = None
    end_s = time.monotonic() + 600
    while (now := counted_records()) < last:
        if time.monotonic() > end_s:
            raise SystemExit(f"counting stands at {now - first} of {last - first}")
        if begun is None and now > first:
            begun = (time.monotonic(), now)
        time.sleep(0.02)
    since_s, done = begun or (time.monotonic(), first)
    return (last - done) / max(time.monotonic() - since_s, 1e-6)


def _lag(bench: Bench, purchases: int) -> None:
    """From accepted to counted while 5,000 purchases a second arrive."""
    bench.processes.start("worker", worker_command(), with_keys=True)
    bench.processes.start("sweep", sweep_command(), with_keys=True)
    time.sleep(6)
    lanes = bench.lanes(PATHS["accept"], min(purchases, 75_000), real=True)
    since = timezone.now()
    bench.sent(lanes, per_s=5_000 / A_BATCH)
    _watch(0, counted_records() + _waiting())
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM counted_at - received_at))"
            " FROM purchases_batch WHERE received_at >= %s",
            [since],
        )
        row = cursor.fetchone()
    bench.figures["lag_p99_s"] = round(float(row[0]), 2) if row else 0.0
    assert _counted_minor() == bench.shop.sold_minor, "totals are not what was sold"
    bench.said(f"lag p99 {bench.figures['lag_p99_s']} s")


def _sizes(bench: Bench) -> None:
    """Bytes on disk for a counted purchase, indexes included."""
    names = [f"{table}_{YEAR}" for table in ("purchases_purchase", "accruals_entry", "accruals_total")]
    total = sum(int(_one("SELECT pg_total_relation_size(%s::regclass)", name)) for name in names)
    bench.figures["bytes_per_purchase"] = round(total / _rows("purchases_purchase"))


def _peak_mb(processes: Processes, name: str) -> float:
    """The largest resident set that a process of a server's family ever had, in MB."""
    family = os.getpgid(processes.running[name].pid)
    peaks = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and _is_of(int(folder.name), family):
            for row in (folder / "status").read_text().splitlines():
                if row.startswith("VmHWM"):
                    peaks.append(int(row.split()[1]) / 1024)
    return round(max(peaks))


def _is_of(pid: int, family: int) -> bool:
    try:
        return os.getpgid(pid) == family
    except ProcessLookupError:
        return False


def _rows(table: str) -> int:
    return int(_one(f"SELECT count(*) FROM {table}"))


def _waiting() -> int:
    return int(_one("SELECT coalesce(sum(records), 0) FROM purchases_batch WHERE counted_at IS NULL"))


def _counted_minor() -> int:
    return int(_one("SELECT coalesce(sum(a), 0) FROM accruals_total, unnest(amounts_minor) a WHERE tax_year = 2017"))


def _one(statement: str, *values: object) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement, list(values))
        row = cursor.fetchone()
    return row[0] if row else 0

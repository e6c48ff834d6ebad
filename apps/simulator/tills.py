"""Virtual tills: each rings up its store's purchases, closes, keeps every record, and reports them sealed over HTTP.

It uses the till's library and nothing else of Kanpu, as a shop would.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from kanpu_pos import (
    Client,
    Closing,
    Report,
    Sale,
    VirtualCard,
    VirtualReader,
    digest_0,
    digests,
    from_json,
    line,
    sign,
)

from apps.residents.keyring import write_private
from apps.simulator.baskets import YEAR, Basket


@dataclass(frozen=True, slots=True)
class Server:
    """Where tills report, with which key, and the folder in which they keep their records."""

    url: str
    api_key: str
    spool: Path


class Tap(NamedTuple):
    """A purchase with the chip of the card that pays: card_id, card_key."""

    basket: Basket
    card_id: bytes
    card_key: bytes


@dataclass(frozen=True, slots=True)
class Reported:
    """What became of one till's records."""

    terminal: str
    accepted: int
    duplicates: int
    rejected: int


def terminal_code(store_id: int) -> str:
    """The code of a store's terminal."""
    return f"cj-{store_id}"


def play(server: Server, stores: Iterable[tuple[int, list[Tap]]], *, processes: int) -> Iterator[Reported]:
    """Ring up and report all stores' purchases, several tills at a time; yields as tills finish."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        tills = [pool.submit(ring_up_and_report, server, terminal_code(store), taps) for store, taps in stores]
        for till in as_completed(tills):
            yield till.result()


def send_again(server: Server, *, processes: int) -> Iterator[Reported]:
    """Report all that the tills have kept once more, byte for byte."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        tills = [pool.submit(report_kept, server, path.stem) for path in sorted(server.spool.glob("*.ndjson"))]
        for till in as_completed(tills):
            yield till.result()


def make_key(spool: Path, terminal: str) -> bytes:
    """Give a till a key of its own. Returns the public half, 32 bytes."""
    private_key = Ed25519PrivateKey.generate()
    write_private(key_file(spool, terminal), private_key.private_bytes_raw().hex())
    return private_key.public_key().public_bytes_raw()


def ring_up_and_report(server: Server, terminal: str, taps: list[Tap]) -> Reported:
    """One till's year: seal the cards and keep every record first, then report."""
    reader = reader_of(server)
    now = datetime.now(UTC)
    records = [_ring_up(reader, terminal, tap, now) for tap in taps] + [_close(taps)]
    (server.spool / f"{terminal}.ndjson").write_bytes(b"".join(record + b"\n" for record in records))
    return report_kept(server, terminal)


def report_kept(server: Server, terminal: str) -> Reported:
    """Report the records that a till has kept, sealed, until all are acknowledged."""
    records = (server.spool / f"{terminal}.ndjson").read_bytes().splitlines()
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(key_file(server.spool, terminal).read_text()))
    chain = list(digests(digest_0(terminal), (line(from_json(record)) for record in records)))
    return _reported(
        terminal, client_of(server).report(terminal, records, seal_at=lambda index: sign(key, chain[index]))
    )


def key_file(spool: Path, terminal: str) -> Path:
    return spool / f"{terminal}.key"


def reader_of(server: Server) -> VirtualReader:
    """A reader that fetched the sealing keys, as readers do now and then: once a till."""
    return VirtualReader(client_of(server).keys())


@cache
def client_of(server: Server) -> Client:
    """One connection a process, for all its tills."""
    return Client(server.url, server.api_key, timeout_s=30, software="kanpu/simulator/1")


def _ring_up(reader: VirtualReader, terminal: str, tap: Tap, now: datetime) -> bytes:
    basket = tap.basket
    card = VirtualCard(tap.card_id, tap.card_key, counter=basket.tap - 1)
    token = reader.seal(card, terminal=terminal, seq=basket.seq, now=now)
    lines = tuple(zip(basket.tiers, basket.amounts, strict=True))
    return Sale(seq=basket.seq, at=basket.at, lines=lines, card=token).to_json()


def _close(taps: list[Tap]) -> bytes:
    """The year's closing: all that the till has sold."""
    totals: dict[str, int] = {}
    for tap in taps:
        for tier, amount in zip(tap.basket.tiers, tap.basket.amounts, strict=True):
            totals[tier] = totals.get(tier, 0) + amount
    last = taps[-1].basket
    return Closing(seq=last.seq + 1, at=last.at, year=YEAR, totals=tuple(totals.items())).to_json()


def _reported(terminal: str, report: Report) -> Reported:
    return Reported(terminal, report.accepted, report.duplicates, len(report.rejected))

"""Tills that ring up what was planned: sales with and without cards, returns, the year's closing."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from multiprocessing import get_context
from typing import NamedTuple

from kanpu_pos import Closing, Return, Sale, VirtualCard
from kanpu_pos.claims import claim_hash

from apps.simulator.baskets import YEAR
from apps.simulator.frauds.acts import Act
from apps.simulator.tills import Reported, Server, reader_of, report_kept

Chip = tuple[bytes, bytes]  # card_id, card_key


class Ring(NamedTuple):
    """One record to ring up: a sale by a chip or with a claim, or the return of the till's own number."""

    seq: int
    at: str
    lines: tuple[tuple[str, int], ...]
    chip: Chip | None
    counter: int
    claim: bytes | None
    of_seq: int | None


def ring_of(act: Act, chips: Mapping[int, Chip], claim: bytes | None) -> Ring:
    """The record of an act."""
    chip = None if act.who is None or act.of else chips[act.who]
    of_seq = act.of.seq if act.of else None
    return Ring(act.seq, act.at.isoformat(), tuple(act.lines.items()), chip, act.counter, claim, of_seq)


def play(tills: Iterable[tuple[Server, str, list[Ring], int]], *, processes: int) -> Iterator[Reported]:
    """Ring up and report all tills' records, several tills at a time; yields as tills finish."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        started = [pool.submit(ring_up_and_report, *till) for till in tills]
        for till in as_completed(started):
            yield till.result()


def ring_up_and_report(server: Server, terminal: str, rings: list[Ring], lost_minor: int) -> Reported:
    """One till's year: every record is kept first, then reported. Its closing counts what it lost, too."""
    reader, now, totals = reader_of(server), datetime.now(UTC), dict[str, int]()
    records = []
    for ring in rings:
        if ring.of_seq is None:
            card = ring.chip and VirtualCard(*ring.chip, counter=ring.counter)
            token = reader.seal(card, terminal=terminal, seq=ring.seq, now=now) if card else None
            claim = claim_hash(ring.claim) if ring.claim else None
            record: Sale | Return = Sale(seq=ring.seq, at=ring.at, lines=ring.lines, card=token, claim=claim)
        else:
            record = Return(seq=ring.seq, at=ring.at, lines=ring.lines, of=(terminal, ring.of_seq))
        for tier, amount in ring.lines:
            totals[tier] = totals.get(tier, 0) + (amount if ring.of_seq is None else -amount)
        records.append(record.to_json())
    last = rings[-1]
    if lost_minor:
        totals["reduced"] = totals.get("reduced", 0) + lost_minor
    records.append(Closing(seq=last.seq + 1, at=last.at, year=YEAR, totals=tuple(totals.items())).to_json())
    (server.spool / f"{terminal}.ndjson").write_bytes(b"".join(record + b"\n" for record in records))
    return report_kept(server, terminal)

"""A loader: it makes its region's purchases and has them accepted by the real operation, in a process of its own."""

import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.utils import timezone
from kanpu_pos import VirtualReader, digest_0, read_personalisation, sign
from kanpu_pos.card import cryptogram
from kanpu_pos.seal import extended

from apps.kernel.errors import KanpuError
from apps.merchants.models import Terminal
from apps.purchases.chain import Seal
from apps.purchases.lanes import lane_of
from apps.purchases.operations import accept_batch
from apps.purchases.store import Sender
from bench.year import records
from bench.year.ledger import Ledger
from bench.year.purchases import Event, Region
from bench.year.sample import DAYS, REGIONS, Sample
from bench.year.sealing_keys import sealing_key
from bench.year.tokens import Encapsulated, encapsulate, seal

A_BATCH: Final = 100  # records; a till sends when it has so many, and what is left at the end of a leg
POOL: Final = 1024  # encapsulations made beforehand


class NotAccepted(KanpuError):
    """A record of the sample was refused: the sample is wrong, or the system."""

    code = "not_accepted"


@dataclass(slots=True)
class Cards:
    """A region's cards, packed: 16 bytes of id, 32 of key, and the last counter of each."""

    ids: bytes
    keys: bytes
    counters: "array[int]"

    def tap(self, resident: int, context: bytes) -> bytes:
        """The card's answer, each counter once: what `VirtualCard.tap` gives."""
        counter = self.counters[resident] = self.counters[resident] + 1
        key = self.keys[32 * resident : 32 * resident + 32]
        return (
            self.ids[16 * resident : 16 * resident + 16]
            + counter.to_bytes(4, "big")
            + cryptogram(key, context, counter)
        )


@dataclass(slots=True)
class Sending:
    """A till at work: where its chain stands and what it has not sent yet."""

    code: str
    terminal_id: int
    merchant_id: int
    public_key: bytes | None
    key: Ed25519PrivateKey | None
    digest: bytes
    seq: int = 0
    waiting: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Loaded:
    """What a leg came to; CPU seconds of making records and of having them accepted, told apart."""

    day: int
    sales: int = 0
    records: int = 0
    batches: int = 0
    sent_bytes: int = 0
    make_cpu_s: float = 0.0
    accept_cpu_s: float = 0.0


def terminal_key(seed: int, code: str) -> Ed25519PrivateKey:
    """The key that a till seals with."""
    return Ed25519PrivateKey.from_private_bytes(sha256(f"{seed}:{code}".encode()).digest())


class Loader:
    """One region's tills and cards."""

    def __init__(self, sample: Sample, region: int, cards: Path) -> None:
        self.region = Region(sample, region)
        self.ledger = Ledger(self.region.sample.residents)
        self.cards = _cards(cards, region, self.region.sample.residents)
        self.tills = list(_sending(self.region, sample.seed))
        key = sealing_key()
        VirtualReader([key]).sealing_key(datetime.now(UTC))  # it must still seal
        self.pool: list[Encapsulated] = [encapsulate(key.id, key.public_key) for _ in range(POOL)]
        self.day = 0

    def load(self, until: int, seen: Callable[[object], None]) -> Loaded:
        """Make and send the days before day `until`."""
        done, begun_s = Loaded(until), time.process_time()
        while self.day < until:
            before = done.records
            for event in self.region.day(self.day):
                self._ring_up(event, done)
            self.day += 1
            seen(done.records - before)
        for till in self.tills:
            self._send(till, done)
        done.make_cpu_s = time.process_time() - begun_s - done.accept_cpu_s
        return done

    def _ring_up(self, event: Event, done: Loaded) -> None:
        self.ledger.add(event)
        till = self.tills[event.till]
        till.seq += 1
        written = self._written(event, till)
        if till.key:
            till.digest = extended(till.digest, written.line)
        till.waiting.append(written.sent)
        done.records += 1
        done.sales += event.kind == "sale"
        if len(till.waiting) == A_BATCH:
            self._send(till, done)

    def _written(self, event: Event, till: Sending) -> records.Written:
        at = _at(self.day, event.second)
        if event.of:
            of = (self.tills[event.of[0]].code, event.of[1])
            return (
                records.void(till.seq, at, of)
                if event.kind == "void"
                else records.returned(till.seq, at, of, event.amounts)
            )
        context = f"kanpu card token v1\n{till.code}\n{till.seq}".encode()
        one = self.pool[(till.seq + event.till) % POOL]
        token = seal(one, self.cards.tap(event.resident, context), context)
        return records.sale(till.seq, at, token, event.amounts)

    def _send(self, till: Sending, done: Loaded) -> None:
        """Have a till's records accepted, all of them. Raises NotAccepted."""
        if not till.waiting:
            return
        sealed = sign(till.key, till.digest) if till.key else None
        begun_s = time.process_time()
        sender = Sender(
            lane=lane_of(till.terminal_id), terminal_id=till.terminal_id, terminal_code=till.code,
            merchant_id=till.merchant_id, public_key=till.public_key, request_id=uuid4(), software="kanpu/bench/1",
        )  # fmt: skip
        seal_sent = Seal(sealed.head, sealed.signature) if sealed else None
        answer = accept_batch(sender, till.waiting, seal=seal_sent, now=timezone.now())
        done.accept_cpu_s += time.process_time() - begun_s
        if len(answer.decided.accepted) != len(till.waiting):
            raise NotAccepted(
                f"Of {len(till.waiting)} records of {till.code} {answer.decided.refused[:1]} was refused."
            )
        done.batches += 1
        done.sent_bytes += sum(map(len, till.waiting))
        till.waiting.clear()


_LOADER: list[Loader] = []


def begin(sample: Sample, region: int, cards: str, *, seen: Callable[[object], None]) -> int:  # noqa: ARG001
    """Make this process a region's loader. Returns how many tills it has."""
    _LOADER[:] = [Loader(sample, region, Path(cards))]
    return len(_LOADER[0].tills)


def load(until: int, *, seen: Callable[[object], None]) -> Loaded:
    """Load the days before day `until`; `seen` gets the records of each day."""
    return _LOADER[0].load(until, seen)


def totals(*, seen: Callable[[object], None]) -> dict[str, Any]:  # noqa: ARG001
    """What the region's ledger says."""
    return _LOADER[0].ledger.totals()


def _cards(path: Path, region: int, residents: int) -> Cards:
    """Each region takes its share of the personalisation file: every second card, where there are two."""
    ids, keys = bytearray(), bytearray()
    for number, row in enumerate(read_personalisation(path)):
        if number % REGIONS == region and len(keys) < 32 * residents:
            ids += row.card_id
            keys += row.card_key
    return Cards(bytes(ids), bytes(keys), array("I", bytes(4 * residents)))


def _sending(region: Region, seed: int) -> Iterator[Sending]:
    rows = Terminal.objects.filter(code__in=[till.code for till in region.tills])
    known = {row.code: row for row in rows}
    for till in region.tills:
        row = known[till.code]
        key = terminal_key(seed, till.code) if till.sealed else None
        public_key = bytes(row.public_key) if row.public_key else None
        yield Sending(till.code, row.pk, row.merchant_id, public_key, key, digest_0(till.code))


def _at(day: int, second: int) -> str:
    minutes, seconds = divmod(second, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{DAYS[day]}T{hours:02}:{minutes:02}:{seconds:02}+09:00"

"""A shop: a process with some tills, which sell and take back until closing time. It is killed now and then.

Of each record the recorder is told before and after it is rung up. What was told after is the customer's: the till must
bring it to the server, whatever happens to either.
"""

import json
import random
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from kanpu_pos import Client, KanpuPosError, Lines, Return, Sale, Till, VirtualCard, VirtualReader, Void

from tests.chaos.ledger import Pen
from tests.chaos.wire import Wire

YEAR: Final = 2017
SKEWS: Final = (timedelta(days=-400), timedelta(days=-2), timedelta(minutes=6), timedelta(minutes=40))
SKEWED: Final = 0.04  # of all sales
CARD_COUNTERS: Final = 1_000_000  # of each till for a card: a card has each counter once
PAUSE_S: Final = (0.02, 0.25)
TROUBLE: Final = (KanpuPosError, sqlite3.Error, OSError)


class Counter(Protocol):
    """What a till does, whoever made it. Each rings up a record and returns its number."""

    def next_seq(self) -> int:
        """The number of the next record."""

    def sell(self, lines: Lines, card: VirtualCard, at: str) -> None:
        """A sale."""

    def give_back(self, of: int, lines: Lines, at: str) -> None:
        """Goods of a sale come back."""

    def void(self, of: int, at: str) -> None:
        """A sale never was."""

    def send(self) -> int:
        """Send; returns how many records still wait. Raises what the client raises."""

    def close_year(self) -> None:
        """The last closing."""


class SealedCounter:
    """The SDK's till, with a key: its file, its seal, its own retries."""

    def __init__(self, folder: Path, code: str, key: str, client: Client) -> None:
        self._till = Till(folder / f"{code}.till", terminal=code, client=client)
        self._till.use_key(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(key)))
        self.refresh = self._till.refresh

    def next_seq(self) -> int:
        return self._till.status().next_seq

    def sell(self, lines: Lines, card: VirtualCard, at: str) -> None:
        self._till.sell(lines, card=card, at=at)

    def give_back(self, of: int, lines: Lines, at: str) -> None:
        self._till.return_goods((self._till.terminal, of), lines, at=at)

    def void(self, of: int, at: str) -> None:
        self._till.void(of, at=at)

    def send(self) -> int:
        self._till.send()
        return self._till.status().waiting

    def close_year(self) -> None:
        self._till.close_day(YEAR)


class LooseCounter:
    """Somebody else's till: no seal, records in a plain file, sent in any order, all of them again after a crash."""

    def __init__(self, folder: Path, code: str, client: Client, rng: random.Random) -> None:
        self._spool, self._code, self._client, self._rng = folder / f"{code}.ndjson", code, client, rng
        kept = self._spool.read_bytes().splitlines() if self._spool.exists() else []
        self._records = [line for line in kept if line.endswith(b"}")]
        self._sent: set[int] = set()
        self._reader = VirtualReader(())

    def refresh(self) -> None:
        self._reader = VirtualReader(self._client.keys())

    def next_seq(self) -> int:
        return len(self._records) + 1

    def sell(self, lines: Lines, card: VirtualCard, at: str) -> None:
        seq = self.next_seq()
        token = self._reader.seal(card, terminal=self._code, seq=seq, now=datetime.now(UTC))
        self._keep(Sale(seq=seq, at=at, lines=lines, card=token).to_json())

    def give_back(self, of: int, lines: Lines, at: str) -> None:
        self._keep(Return(seq=self.next_seq(), at=at, of=(self._code, of), lines=lines).to_json())

    def void(self, of: int, at: str) -> None:
        self._keep(Void(seq=self.next_seq(), at=at, of=(self._code, of)).to_json())

    def send(self) -> int:
        waiting = [index for index in range(len(self._records)) if index not in self._sent]
        self._rng.shuffle(waiting)  # returns before their sales, the last before the first
        for start in range(0, len(waiting), 7):
            chosen = waiting[start : start + 7]
            self._client.report(self._code, [self._records[index] for index in chosen])
            self._sent.update(chosen)
        return len(self._records) - len(self._sent)

    def close_year(self) -> None:
        """This make reports no closings."""

    def _keep(self, record: bytes) -> None:
        with self._spool.open("ab", buffering=0) as file:
            size = file.tell()
            if file.write(record + b"\n") <= len(record):
                file.truncate(size)
                raise OSError("the disk is full")
        self._records.append(record)


@dataclass(slots=True)
class Clerk:
    """Who works at one till, in a thread."""

    counter: Counter
    code: str
    number: int
    cards: list[tuple[str, bytes, bytes]]
    pen: Pen
    rng: random.Random
    open_sales: dict[int, dict[str, int]] = field(default_factory=dict)

    def ring_up(self) -> None:
        """One more record: a sale, or something that follows one of this till's. Raises one of TROUBLE."""
        drawn = self.rng.random()
        if drawn < 0.8 or not self.open_sales:
            self._sell()
        elif drawn < 0.95:
            self._give_back()
        else:
            of = self._any_sale()
            del self.open_sales[of]
            self._record("void", self._at(), lambda at: self.counter.void(of, at), of=of)

    def _sell(self) -> None:
        resident, card_id, card_key = self.rng.choice(self.cards)
        lines = self._lines()
        skew = self.rng.choice(SKEWS) if self.rng.random() < SKEWED else None
        at = (datetime.now(UTC) + skew).isoformat(timespec="seconds") if skew is not None else self._at()
        seq = self.counter.next_seq()
        card = VirtualCard(card_id, card_key, counter=self.number * CARD_COUNTERS + seq)
        fields: dict[str, Any] = {"resident": resident, "skewed": skew is not None}
        self._record("sale", at, lambda at: self.counter.sell(lines, card, at), lines=lines, **fields)
        if skew is None:
            self.open_sales[seq] = dict(lines)
        else:
            self.pen.note("fault", self.code, kind="clock_wrong")

    def _give_back(self) -> None:
        of = self._any_sale()
        left = self.open_sales.pop(of)  # what fails in the middle is followed by nothing more
        tier = self.rng.choice(sorted(left))
        lines = ((tier, self.rng.randint(1, left[tier])),)
        self._record("return", self._at(), lambda at: self.counter.give_back(of, lines, at), lines=lines, of=of)
        left[tier] -= lines[0][1]
        if rest := {tier: amount for tier, amount in left.items() if amount}:
            self.open_sales[of] = rest

    def _record(self, kind: str, at: str, act: Callable[[str], None], **fields: Any) -> None:
        seq = self.counter.next_seq()
        self.pen.note("intent", self.code, seq=seq, kind=kind, at=at, **fields)
        act(at)
        self.pen.note("done", self.code, seq=seq)

    def _any_sale(self) -> int:
        return self.rng.choice(sorted(self.open_sales))

    def _lines(self) -> Lines:
        tiers = self.rng.choice((("reduced",), ("standard",), ("reduced", "standard")))
        return tuple((tier, self.rng.randint(1, 3_000)) for tier in tiers)

    def _at(self) -> str:
        at = datetime(YEAR, 1, 1, 9, tzinfo=UTC) + timedelta(minutes=self.rng.randrange(360 * 24 * 60))
        return at.isoformat(timespec="seconds")


def work(clerk: Clerk, *, closed: Path) -> None:
    """Sell and send until closing time, then until the server has everything."""
    while not closed.exists():
        time.sleep(clerk.rng.uniform(*PAUSE_S))
        _try(clerk, clerk.ring_up)
        if clerk.rng.random() < 0.2:
            _try(clerk, clerk.counter.send)
    while not _try(clerk, clerk.counter.close_year):
        time.sleep(0.1)
    while not (_try(clerk, clerk.counter.send) and clerk.counter.send() == 0):
        time.sleep(0.1)


def _try(clerk: Clerk, act: Callable[[], object]) -> bool:
    try:
        act()
    except TROUBLE as error:  # offline, or the disk is full: the shop goes on
        print(f"{clerk.code}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return False
    return True


def _clerk(plan: dict[str, Any], terminal: dict[str, Any]) -> Clerk:
    pen, rng = Pen(Path(plan["recorder"])), random.Random(f"{plan['seed']} {terminal['code']} {time.time_ns()}")
    client = Client(plan["url"], plan["api_key"], timeout_s=8, give_up_after_s=4, transport=Wire(pen, rng))
    folder, code = Path(plan["folder"]), terminal["code"]
    counter: SealedCounter | LooseCounter
    if terminal["key"]:
        counter = SealedCounter(folder, code, terminal["key"], client)
    else:
        counter = LooseCounter(folder, code, client, rng)
    clerk = Clerk(counter, code, terminal["number"], _cards(plan), pen, rng)
    while not _try(clerk, counter.refresh):
        time.sleep(0.2)
    return clerk


def _cards(plan: dict[str, Any]) -> list[tuple[str, bytes, bytes]]:
    return [(ref, bytes.fromhex(card_id), bytes.fromhex(key)) for ref, card_id, key in plan["cards"]]


def main() -> None:
    """Work as the plan says that the first argument names."""
    plan = json.loads(Path(sys.argv[1]).read_text())
    closed = Path(plan["closed"])

    def at_work(terminal: dict[str, Any]) -> None:
        while True:
            try:
                clerk = _clerk(plan, terminal)
                break
            except TROUBLE as error:
                print(f"{terminal['code']} opens later: {error}", file=sys.stderr, flush=True)
                time.sleep(0.2)
        work(clerk, closed=closed)

    tills = [threading.Thread(target=at_work, args=(terminal,)) for terminal in plan["terminals"]]
    for till in tills:
        till.start()
    for till in tills:
        till.join()


if __name__ == "__main__":
    main()

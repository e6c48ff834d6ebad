"""What the cases work with: fresh terminals, taps of test cards, records, and what became of them."""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kanpu_pos.conformance.expecting import Failure, equal, true
from kanpu_pos.conformance.expecting import field as field_of
from kanpu_pos.conformance.link import Exchange, Link, answered
from kanpu_pos.conformance.terminals import Json, TestTerminal
from kanpu_pos.reader import SealingKey, VirtualReader
from kanpu_pos.testing import TestCard

TOKYO: Final = timezone(timedelta(hours=9))
ENROLLED_AT_ONCE: Final = 10
POLL_S: Final = 0.25


@dataclass(slots=True)
class Kit:
    """One run against one server. `on` is the day on which the kit sells, `tiers` two codes in force on it.

    `merchant` is the number of the merchant for whom a vendor's key enrols terminals. `on_wait` is called whenever the
    kit waits for workers.
    """

    link: Link
    on: date | None = None
    wait_s: float = 60.0
    till_terminal: str | None = None
    merchant: int | None = None
    on_wait: Callable[[], object] = lambda: None
    tiers: Sequence[str] = ()
    terminals: list[TestTerminal] = field(default_factory=list)
    _run: str = field(default_factory=lambda: secrets.token_hex(4))
    _spare: dict[bool, list[TestTerminal]] = field(default_factory=lambda: {True: [], False: []})
    _cards: dict[str, TestCard] = field(default_factory=dict)
    _reader: VirtualReader | None = None

    def prepare(self) -> TestTerminal:
        """Fetch tiers, keys and cards, and return the kit's own sealed terminal, its first record sent.

        Raises Failure.
        """
        tiers = answered(self.link.get("/v1/tiers", on=self.day))
        self.tiers = [tier["code"] for tier in field_of(tiers, "tiers")][:2]
        true("two tiers in force", len(self.tiers) == 2, tiers)
        keys = answered(self.link.get("/v1/keys", key=False, mode="test"))
        self._reader = VirtualReader([SealingKey.from_json(row) for row in keys])
        rows = answered(self.link.get("/v1/test/cards"))
        self._cards = {row["name"]: TestCard.from_row(row) for row in rows}
        own = self.terminal(sealed=True)
        self.reported(own, self.unused(own))
        return own

    @property
    def day(self) -> str:
        """The day on which the kit sells."""
        return (self.on or datetime.now(TOKYO).date()).isoformat()

    def at(self, *, later_s: int = 0) -> str:
        """A time at which the kit sells, in Tokyo's offset; by default now, or noon of the given day."""
        noon = datetime.fromisoformat(f"{self.day}T12:00:00+09:00")
        moment = noon if self.on else datetime.now(TOKYO).replace(microsecond=0)
        return (moment + timedelta(seconds=later_s)).isoformat()

    def card(self, name: str) -> TestCard:
        """A published test card. Raises Failure when there is none of that name."""
        if name not in self._cards:
            raise Failure(f"a test card called {name}", repr(sorted(self._cards)))
        return self._cards[name]

    def tap(self, name: str, terminal: TestTerminal, seq: int) -> str:
        """A token of a test card for one purchase, freshly sealed."""
        if self._reader is None:
            raise Failure("sealing keys", "none were fetched")
        return self._reader.seal(self.card(name).card, terminal=terminal.code, seq=seq, now=datetime.now(UTC))

    def terminal(self, *, sealed: bool = False) -> TestTerminal:
        """A fresh terminal: enrolled, and nothing sent."""
        if not self._spare[sealed]:
            self._spare[sealed] = self.enrol([self.new_terminal(sealed=sealed) for _ in range(ENROLLED_AT_ONCE)])
        terminal = self._spare[sealed].pop()
        self.terminals.append(terminal)
        return terminal

    def new_terminal(self, *, sealed: bool) -> TestTerminal:
        """A terminal that the server does not know yet, its code random."""
        key = Ed25519PrivateKey.generate() if sealed else None
        return TestTerminal(f"conformance-{self._run}-{secrets.token_hex(4)}", key)

    def enrol(self, terminals: list[TestTerminal]) -> list[TestTerminal]:
        """Enrol terminals in one request, and keep their one-time codes. Raises Failure when one is not enrolled."""
        results = field_of(answered(self.post_terminals(*map(self.enrolment, terminals))), "results")
        for terminal, result in zip(terminals, results, strict=True):
            equal(f"what became of {terminal.code}", "enrolled", field_of(result, "status"))
            terminal.enrolment_code = result.get("enrolment_code") or ""
        return terminals

    def post_terminals(self, *rows: Json) -> Exchange:
        """Ask for terminals to be enrolled, one or many."""
        merchant = {} if self.merchant is None else {"merchant": self.merchant}
        return self.link.post("/v1/terminals", {**merchant, **(rows[0] if len(rows) == 1 else {"terminals": rows})})

    def enrolment(self, terminal: TestTerminal) -> Json:
        """What a terminal is enrolled with."""
        row = {"code": terminal.code, "store": "Conformance kit", "region": "13"}
        return {**row, "public_key": terminal.public_key} if terminal.key else row

    def sale(self, terminal: TestTerminal, *, card: str | None = None, seq: int | None = None, **changes: Any) -> Json:
        """A sale of 1080 in the first tier, by default under the terminal's next number; `card` is tapped for it."""
        seq = seq or terminal.next()
        record = {"seq": seq, "at": self.at(), "lines": [self.line(1080)], **changes}
        return {**record, "card": self.tap(card, terminal, seq)} if card else record

    def following(self, kind: str, terminal: TestTerminal, of: Json, **changes: Any) -> Json:
        """A return, void or correction of a record, which is this terminal's where it does not say another."""
        return {
            "seq": terminal.next(), "at": self.at(), "kind": kind,
            "of": {"terminal": of.get("terminal", terminal.code), "seq": of["seq"]}, **changes,
        }  # fmt: skip

    def unused(self, terminal: TestTerminal) -> Json:
        """A number whose sale was abandoned."""
        return {"seq": terminal.next(), "at": self.at(), "kind": "unused"}

    def closing(self, terminal: TestTerminal, *totals: Json) -> Json:
        """A closing of the year."""
        at = self.at()
        return {"seq": terminal.next(), "at": at, "kind": "closing", "year": int(at[:4]), "totals": list(totals)}

    def line(self, amount: int, *, tier: int = 0) -> Json:
        """An amount of the first tier, or of the one of that index."""
        return {"tier": self.tiers[tier], "amount": amount}

    def report(self, terminal: TestTerminal, *records: Json) -> Exchange:
        """Send a batch; what a 200 acknowledges is in the terminal's chain from then on."""
        exchange = self.link.post("/v1/purchases", terminal.batch(*records))
        if exchange.status == 200 and terminal.key:
            terminal.keep(*records)
        return exchange

    def reported(self, terminal: TestTerminal, *records: Json) -> None:
        """Send records, all of which have to be accepted."""
        answer = answered(self.report(terminal, *records))
        equal("accepted", len(records), field_of(answer, "accepted"))

    def rows(self, terminal: str | None, **filters: Any) -> list[Json]:
        """Read back all records of a terminal, or of all terminals, page by page."""
        rows: list[Json] = []
        cursors: list[str | None] = [None]
        while True:
            page = answered(
                self.link.get("/v1/purchases", terminal=terminal, cursor=cursors[-1], limit=1000, **filters)
            )
            rows += field_of(page, "purchases")
            cursor = field_of(page, "next_cursor")
            if cursor is None:
                return rows
            true("another cursor on each page", cursor not in cursors, cursor)
            cursors.append(cursor)

    def row(self, terminal: TestTerminal, record: Json) -> Json:
        """What is read back of one record. Raises Failure when it is not there."""
        page = answered(self.link.get("/v1/purchases", terminal=terminal.code, from_seq=record["seq"], limit=1))
        rows = [row for row in field_of(page, "purchases") if field_of(row, "seq") == record["seq"]]
        if not rows:
            raise Failure(f"number {record['seq']} of {terminal.code} to be read back", repr(page))
        row: Json = rows[0]
        return row

    def becomes(self, terminal: TestTerminal, record: Json, status: str, code: str | None = None) -> Any:
        """Wait for workers to decide on a record, and return it. Raises Failure when it ends otherwise, or too late."""

        def settled() -> Json | None:
            row = self.row(terminal, record)
            return row if (field_of(row, "status"), _code(row)) == (status, code) else None

        wanted = f"number {record['seq']} to become {status}" + (f" ({code})" if code else "")
        return self.until(wanted, settled)

    def until(self, wanted: str, attempt: Callable[[], Any]) -> Any:
        """Return what `attempt` returns once that is not None. Raises Failure after the time limit."""
        end_s = time.monotonic() + self.wait_s
        while True:
            last = attempt()
            if last is not None:
                return last
            if time.monotonic() > end_s:
                exchange = self.link.exchanges[-1]
                raise Failure(f"{wanted} within {self.wait_s:g} s", exchange.answered[:1000])
            self.on_wait()
            time.sleep(POLL_S)

    def state(self, terminal: str) -> Json:
        """The server's view of a terminal."""
        state: Json = answered(self.link.get(f"/v1/terminals/{terminal}"))
        return state


def _code(row: Json) -> str | None:
    error = field_of(row, "error")
    return None if error is None else str(field_of(error, "code"))

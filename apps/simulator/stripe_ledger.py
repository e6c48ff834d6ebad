"""What the simulated Stripe knows: accounts, transfers, payouts, balances, answers by idempotency key, webhooks.

In SQLite, on disk before anything is answered: it may be killed at any moment. Money is never made: a platform's
balance becomes an account's, that of a bank, and back when a payout fails. What becomes of a payout follows from the
bank account, as in Stripe's test mode, or from the seed and our reference.
"""

import hashlib
import json
import random
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

Params = Mapping[str, str]
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS platform (balance INTEGER NOT NULL CHECK (balance >= 0));
CREATE TABLE IF NOT EXISTS account (
    seq INTEGER PRIMARY KEY, id TEXT UNIQUE, tag TEXT, external TEXT, routing TEXT, number TEXT, holder TEXT,
    balance INTEGER NOT NULL DEFAULT 0 CHECK (balance >= 0), created REAL);
CREATE TABLE IF NOT EXISTS transfer (
    seq INTEGER PRIMARY KEY, id TEXT UNIQUE, account TEXT, amount INTEGER, reversed INTEGER NOT NULL DEFAULT 0,
    refund TEXT, created REAL, CHECK (reversed BETWEEN 0 AND amount));
CREATE INDEX IF NOT EXISTS transfer_refund ON transfer (refund);
CREATE TABLE IF NOT EXISTS reversal (
    seq INTEGER PRIMARY KEY, id TEXT UNIQUE, transfer TEXT, amount INTEGER, refund TEXT, created REAL);
CREATE INDEX IF NOT EXISTS reversal_transfer ON reversal (transfer);
CREATE TABLE IF NOT EXISTS payout (
    seq INTEGER PRIMARY KEY, id TEXT UNIQUE, account TEXT, amount INTEGER, status TEXT, failure TEXT, refund TEXT,
    to_come TEXT, next_at REAL, created REAL);
CREATE INDEX IF NOT EXISTS payout_next ON payout (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS payout_account ON payout (account);
CREATE TABLE IF NOT EXISTS event (seq INTEGER PRIMARY KEY, id TEXT UNIQUE, body TEXT);
CREATE TABLE IF NOT EXISTS delivery (seq INTEGER PRIMARY KEY, event TEXT, due_at REAL, tries INTEGER DEFAULT 0);
CREATE INDEX IF NOT EXISTS delivery_due ON delivery (due_at);
CREATE TABLE IF NOT EXISTS answer (key TEXT PRIMARY KEY, asked TEXT, status INTEGER, body TEXT, at REAL);
"""
# The last digits decide, as in the numbers of Stripe's test mode (docs.stripe.com/connect/testing).
MAGIC: Final = {
    "1111116": "no_account", "1111113": "account_closed", "2222227": "insufficient_funds",
    "3333335": "debit_not_authorized", "4444440": "invalid_currency",
}  # fmt: skip
FAILURES: Final = ("no_account", "account_closed", "bank_account_restricted")
MOST_TRIES: Final = 40


class Refusal(Exception):
    """A request that is answered with an error: nothing was made."""

    def __init__(self, status: int, kind: str, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"type": kind, "code": code, "message": message}}


def invalid(code: str, message: str, status: int = 400) -> Refusal:
    """An invalid_request_error."""
    return Refusal(status, "invalid_request_error", code, message)


@dataclass(frozen=True, slots=True)
class Rule:
    """Of a thousand payouts so many fail, and so many that were paid fail after all. `pace_s` is how long a payout
    stays in a status. With `faults` webhooks come up to three times, late, in any order, and some never.
    """

    seed: int = 0
    fail: int = 20
    come_back: int = 10
    pace_s: float = 0.2
    faults: bool = False

    def course(self, refund: str, number: str) -> list[tuple[str, str]]:
        """The statuses that a payout comes to, each with its failure code."""
        if number in MAGIC:
            return [("in_transit", ""), ("failed", MAGIC[number])]
        drawn = int.from_bytes(hashlib.sha256(f"{self.seed} {refund}".encode()).digest()[:8], "big")
        if drawn % 1_000 < self.fail:
            return [("in_transit", ""), ("failed", FAILURES[drawn % len(FAILURES)])]
        comes_back = drawn // 1_000 % 1_000 < self.come_back
        return [("in_transit", ""), ("paid", ""), *([("failed", "account_closed")] if comes_back else [])]


@dataclass(slots=True)
class Ledger:
    """The books. One process at a time."""

    path: Path
    rule: Rule
    keys_for_s: float = 24 * 3600
    hooks: bool = True
    now: Callable[[], float] = time.time
    lock: threading.RLock = field(default_factory=threading.RLock)
    rng: random.Random = field(default_factory=random.Random)
    books: sqlite3.Connection = field(init=False)

    def __post_init__(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.books = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        self.books.row_factory = sqlite3.Row
        self.books.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;" + SCHEMA)
        if not self.one("SELECT 1 FROM platform"):
            self.books.execute("INSERT INTO platform VALUES (?)", [10**12])

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction, whole or not there."""
        with self.lock:
            self.books.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self.books.execute("ROLLBACK")
                raise
            self.books.execute("COMMIT")

    def one(self, statement: str, *values: object) -> sqlite3.Row | None:
        """The first row."""
        with self.lock:
            found: sqlite3.Row | None = self.books.execute(statement, values).fetchone()
        return found

    def rows(self, statement: str, *values: object) -> list[sqlite3.Row]:
        """All rows."""
        with self.lock:
            return self.books.execute(statement, values).fetchall()

    # --- idempotency ---

    def kept(self, key: str, asked: str) -> tuple[int, str] | None:
        """The answer that was given to a key. Raises Refusal when it was given to another request."""
        found = self.one("SELECT * FROM answer WHERE key = ? AND at > ?", key, self.now() - self.keys_for_s)
        if found is None:
            return None
        if found["asked"] != asked:
            raise Refusal(400, "idempotency_error", "", f"The key {key} was used with other parameters.")
        return found["status"], found["body"]

    def keep(self, key: str, asked: str, status: int, body: str) -> None:
        """Keep an answer, in the transaction that made what it tells of."""
        self.books.execute(
            "INSERT OR REPLACE INTO answer VALUES (?, ?, ?, ?, ?)", [key, asked, status, body, self.now()]
        )

    # --- what can be made ---

    def make_account(self, asked: Params, _account: str) -> dict[str, Any]:
        """A connected account with a Japanese bank account."""
        bank = {name[17:-1]: value for name, value in asked.items() if name.startswith("external_account[")}
        if (asked.get("country"), bank.get("country"), bank.get("currency")) != ("JP", "JP", "jpy"):
            raise invalid("country_unsupported", "This platform pays in Japan only.")
        if len(bank.get("routing_number", "")) != 7 or not bank["routing_number"].isdigit():
            raise invalid("routing_number_invalid", "Bank (4 digits) and branch (3).")
        if len(bank.get("account_number", "")) != 7 or not bank["account_number"].isdigit():
            raise invalid("account_number_invalid", "Account numbers have seven digits.")
        if not bank.get("account_holder_name") or bank.get("account_type") not in ("futsu", "toza"):
            raise invalid("parameter_missing", "The holder's name and futsu or toza are needed.")
        new = _id("acct")
        self.books.execute(
            "INSERT INTO account (id, tag, external, routing, number, holder, created) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [new, asked.get("metadata[account]", ""), _id("ba"), bank["routing_number"], bank["account_number"],
             bank["account_holder_name"], self.now()],
        )  # fmt: skip
        return self.account(new)

    def forget_account(self, pk: str) -> dict[str, Any]:
        """Delete an account that has no money."""
        found = self.account(pk)
        if not self._move("DELETE FROM account WHERE id = ? AND balance = 0", pk):
            raise invalid("balance_invalid", "The account has money.")
        return {"id": found["id"], "object": "account", "deleted": True}

    def make_transfer(self, asked: Params, _account: str) -> dict[str, Any]:
        """Money from the platform to an account."""
        amount, to = _amount(asked), asked.get("destination", "")
        self.account(to)
        if not self._move("UPDATE platform SET balance = balance - ? WHERE balance >= ?", amount, amount):
            raise invalid("balance_insufficient", "The platform's balance does not suffice.")
        self._move("UPDATE account SET balance = balance + ? WHERE id = ?", amount, to)
        new = _id("tr")
        self.books.execute(
            "INSERT INTO transfer (id, account, amount, refund, created) VALUES (?, ?, ?, ?, ?)",
            [new, to, amount, asked.get("transfer_group", ""), self.now()],
        )
        return self.transfer(new)

    def make_reversal(self, transfer: str, asked: Params) -> dict[str, Any]:
        """Money of a transfer back to the platform."""
        amount, found = _amount(asked), self.transfer(transfer)
        if amount > found["amount"] - found["amount_reversed"]:
            raise invalid("transfer_already_reversed", "So much of the transfer is not there any more.")
        taken = "UPDATE account SET balance = balance - ? WHERE id = ? AND balance >= ?"
        if not self._move(taken, amount, found["destination"], amount):
            raise invalid("balance_insufficient", "The account's balance does not suffice.")
        self._move("UPDATE platform SET balance = balance + ?", amount)
        self._move("UPDATE transfer SET reversed = reversed + ? WHERE id = ?", amount, transfer)
        new = _id("trr")
        self.books.execute(
            "INSERT INTO reversal (id, transfer, amount, refund, created) VALUES (?, ?, ?, ?, ?)",
            [new, transfer, amount, asked.get("metadata[refund]", ""), self.now()],
        )
        return _reversal(self.one("SELECT * FROM reversal WHERE id = ?", new))

    def make_payout(self, asked: Params, account: str) -> dict[str, Any]:
        """Money from an account to its bank account."""
        amount, at = _amount(asked), self.one("SELECT * FROM account WHERE id = ?", account)
        if at is None or asked.get("destination") != at["external"]:
            raise invalid("resource_missing", "The account has no such bank account.", 404)
        taken = "UPDATE account SET balance = balance - ? WHERE id = ? AND balance >= ?"
        if not self._move(taken, amount, account, amount):
            raise invalid("balance_insufficient", "The account's balance does not suffice.")
        new, refund, now = _id("po"), asked.get("metadata[refund]", ""), self.now()
        course = json.dumps(self.rule.course(refund, at["number"]))
        self.books.execute(
            "INSERT INTO payout (id, account, amount, status, failure, refund, to_come, next_at, created)"
            " VALUES (?, ?, ?, 'pending', '', ?, ?, ?, ?)",
            [new, account, amount, refund, course, now + self.rule.pace_s, now],
        )
        self._tell(new, "payout.created")
        return self.payout(new, account)

    # --- time goes by ---

    def go_on(self) -> int:
        """Bring payouts to their next status. Returns how many."""
        due = self.rows("SELECT * FROM payout WHERE next_at <= ? ORDER BY next_at LIMIT 500", self.now())
        if due:
            with self.writing():
                for payout in due:
                    self._go_on(payout)
        return len(due)

    def _go_on(self, payout: sqlite3.Row) -> None:
        (status, failure), *rest = json.loads(payout["to_come"])
        at = self.now() + self.rule.pace_s if rest else None
        self.books.execute(
            "UPDATE payout SET status = ?, failure = ?, to_come = ?, next_at = ? WHERE id = ?",
            [status, failure, json.dumps(rest), at, payout["id"]],
        )
        if status == "failed":
            self._move("UPDATE account SET balance = balance + ? WHERE id = ?", payout["amount"], payout["account"])
        self._tell(payout["id"], {"in_transit": "payout.updated"}.get(status, f"payout.{status}"))

    def _tell(self, payout: str, kind: str) -> None:
        """An event, and when it is sent: once at once, or with faults late, again, or never."""
        found = self.payout(payout)
        account = found.pop("_account")
        event = {
            "id": _id("evt"), "object": "event", "type": kind, "created": int(self.now()), "livemode": False,
            "account": account, "data": {"object": found},
        }  # fmt: skip
        self.books.execute("INSERT INTO event (id, body) VALUES (?, ?)", [event["id"], json.dumps(event)])
        if self.hooks:
            times = self.rng.choice((0, 1, 1, 2, 3)) if self.rule.faults else 1
            late = [self.rng.random() * 2 if self.rule.faults else 0.0 for _ in range(times)]
            self.books.executemany(
                "INSERT INTO delivery (event, due_at) VALUES (?, ?)", [(event["id"], self.now() + s) for s in late]
            )

    def deliveries(self) -> list[sqlite3.Row]:
        """Webhooks that are to be sent now, with the event."""
        due = "SELECT d.seq, e.body FROM delivery d JOIN event e ON e.id = d.event WHERE due_at <= ? LIMIT 50"
        return self.rows(due, self.now())

    def delivered(self, told: list[int], failed: list[int]) -> None:
        """Which of them were taken, and which are to be sent again."""
        with self.writing():
            self.books.executemany("DELETE FROM delivery WHERE seq = ?", [(seq,) for seq in told])
            again = "UPDATE delivery SET tries = tries + 1, due_at = ? WHERE seq = ?"
            self.books.executemany(again, [(self.now() + 0.5, seq) for seq in failed])
            self.books.execute("DELETE FROM delivery WHERE tries > ?", [MOST_TRIES])

    # --- for who holds the books against others ---

    def kept_by_payees(self) -> list[tuple[str, int]]:
        """What reached a bank and stayed there: our reference and the amount, each as often as it was paid."""
        paid = self.rows("SELECT refund, amount FROM payout WHERE status = 'paid' ORDER BY refund")
        return [(row["refund"], row["amount"]) for row in paid]

    def stray_minor(self) -> int:
        """What left the platform and did not reach a bank."""
        found = self.one(
            "SELECT (SELECT coalesce(sum(amount - reversed), 0) FROM transfer)"
            " - (SELECT coalesce(sum(amount), 0) FROM payout WHERE status = 'paid') AS stray"
        )
        return int(found["stray"]) if found else 0

    # --- as the API shows it ---

    def account(self, pk: str) -> dict[str, Any]:
        """An account. Raises Refusal."""
        found = self.one("SELECT * FROM account WHERE id = ?", pk)
        if found is None:
            raise invalid("resource_missing", f"No such account: {pk}", 404)
        return _account(found)

    def transfer(self, pk: str) -> dict[str, Any]:
        """A transfer. Raises Refusal."""
        found = self.one("SELECT * FROM transfer WHERE id = ?", pk)
        if found is None:
            raise invalid("resource_missing", f"No such transfer: {pk}", 404)
        return _transfer(found)

    def payout(self, pk: str, account: str = "") -> dict[str, Any]:
        """A payout, of an account where one is given. Raises Refusal."""
        found = self.one("SELECT * FROM payout WHERE id = ?", pk)
        if found is None or (account and found["account"] != account):
            raise invalid("resource_missing", f"No such payout: {pk}", 404)
        shown = _payout(found)
        return shown if account else shown | {"_account": found["account"]}

    def balance(self, account: str) -> dict[str, Any]:
        """What is there, of an account or of the platform."""
        found = (
            self.one("SELECT balance FROM account WHERE id = ?", account)
            if account
            else self.one("SELECT balance FROM platform")
        )
        amount = found["balance"] if found else 0
        return {"object": "balance", "livemode": False, "available": [{"amount": amount, "currency": "jpy"}]}

    def _move(self, statement: str, *values: object) -> bool:
        return self.books.execute(statement, values).rowcount == 1


def _id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(12)}"


def _amount(asked: Params) -> int:
    amount = asked.get("amount", "")
    if asked.get("currency", "jpy") != "jpy" or not amount.isdigit() or int(amount) < 1:
        raise invalid("parameter_invalid_integer", "An amount of yen, from 1 on.")
    return int(amount)


def _account(row: sqlite3.Row) -> dict[str, Any]:
    external = {
        "id": row["external"], "object": "bank_account", "country": "JP", "currency": "jpy", "status": "new",
        "routing_number": row["routing"], "last4": row["number"][-4:],
    }  # fmt: skip
    return {
        "id": row["id"], "object": "account", "country": "JP", "created": int(row["created"]), "payouts_enabled": True,
        "capabilities": {"transfers": "active"}, "metadata": {"account": row["tag"]},
        "external_accounts": {"object": "list", "has_more": False, "data": [external]},
    }  # fmt: skip


def _transfer(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "id": row["id"], "object": "transfer", "amount": row["amount"], "currency": "jpy", "livemode": False,
        "destination": row["account"], "created": int(row["created"]), "amount_reversed": row["reversed"],
        "transfer_group": row["refund"], "metadata": {"refund": row["refund"]},
    }  # fmt: skip


def _reversal(row: sqlite3.Row | None) -> dict[str, Any]:
    assert row is not None  # noqa: S101 - it was made in this transaction
    return {
        "id": row["id"], "object": "transfer_reversal", "amount": row["amount"], "currency": "jpy",
        "transfer": row["transfer"], "created": int(row["created"]), "metadata": {"refund": row["refund"]},
    }  # fmt: skip


def _payout(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "id": row["id"], "object": "payout", "amount": row["amount"], "currency": "jpy", "status": row["status"],
        "failure_code": row["failure"] or None, "created": int(row["created"]), "livemode": False,
        "metadata": {"refund": row["refund"]}, "method": "standard", "automatic": False,
    }  # fmt: skip


SHOWN: Final = {"account": _account, "transfer": _transfer, "reversal": _reversal, "payout": _payout}

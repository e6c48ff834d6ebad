"""The till's file: an SQLite database in which every number, record and total is durable before anyone sees it."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from kanpu_pos.errors import KanpuPosError
from kanpu_pos.records import Record, from_json, line
from kanpu_pos.seal import extended
from kanpu_pos.totals import Amounts

FORMAT: Final = 1
BUSY_TIMEOUT_S: Final = 10.0

# reserved: a number waiting for its card; waiting: to be sent; sent and rejected: as the server answered;
# recovered: read back from the server after a broken disk.
_SCHEMA: Final = """
CREATE TABLE setting (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
CREATE TABLE record (
    seq INTEGER PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('reserved', 'waiting', 'sent', 'rejected', 'recovered')),
    kind TEXT,
    of_seq INTEGER,
    stored BLOB,
    digest BLOB CHECK (length(digest) = 32),
    claim BLOB CHECK (length(claim) = 16),
    card_error TEXT,
    code TEXT,
    message TEXT,
    CHECK ((state = 'reserved') = (stored IS NULL)),
    CHECK ((state = 'reserved') = (kind IS NULL))
) STRICT;
CREATE INDEX record_reserved ON record (seq) WHERE state = 'reserved';
CREATE INDEX record_waiting ON record (seq) WHERE state = 'waiting';
CREATE INDEX record_rejected ON record (seq) WHERE state = 'rejected';
CREATE INDEX record_of ON record (of_seq) WHERE of_seq IS NOT NULL;
CREATE INDEX record_claim ON record (seq) WHERE claim IS NOT NULL;
CREATE TABLE total (
    year INTEGER NOT NULL, tier TEXT NOT NULL, amount_minor INTEGER NOT NULL, PRIMARY KEY (year, tier)
) STRICT;
CREATE TABLE tiers (on_date TEXT PRIMARY KEY, document BLOB NOT NULL) STRICT;
"""


class StoreError(KanpuPosError):
    """The till's file cannot be used: it is no till's, of a newer version, or the disk refuses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A record as it is kept. `digest` is the chain's after it, None for one read back from the server."""

    seq: int
    state: str
    stored: bytes = field(repr=False)
    digest: bytes | None
    claim: bytes | None = field(repr=False)
    card_error: str | None

    @property
    def record(self) -> Record:
        """The record itself."""
        return from_json(self.stored)


_ROW: Final = "SELECT seq, state, stored, digest, claim, card_error FROM record"


class Store:
    """One connection to the file. A thread at a time; changes only inside `transaction()`."""

    def __init__(self, path: str | Path) -> None:
        """Open the file, which only its owner can read, and make its tables if it is new. Raises StoreError."""
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")  # a commit is on the disk before anything is shown
            self._prepare()
        except (sqlite3.DatabaseError, StoreError) as error:
            self._db.close()
            raise StoreError(f"{path} cannot be used as a till's file: {error}") from error

    def _prepare(self) -> None:
        with self.transaction():
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version > FORMAT:
                raise StoreError(f"the till's file has format {version}, newer than this library: update kanpu-pos")
            if version == 0:
                for statement in _SCHEMA.split(";\n"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {FORMAT}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All changes inside are durable when it ends, or none of them is."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except BaseException as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise StoreError(f"the till's file could not be written, nothing was recorded: {error}") from error
            raise

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    # Settings

    def setting(self, name: str) -> bytes | None:
        """Return what is kept under a name."""
        row = self._db.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def keep_setting(self, name: str, value: bytes | None) -> None:
        """Keep a value under a name, or nothing."""
        if value is None:
            self._db.execute("DELETE FROM setting WHERE name = ?", (name,))
        else:
            self._db.execute("REPLACE INTO setting (name, value) VALUES (?, ?)", (name, value))

    # Numbers and records

    def next_seq(self) -> int:
        """Return the next number: after every one that was given out here, and not before the chain's first."""
        last = self._db.execute("SELECT max(seq) FROM record").fetchone()[0] or 0
        return max(int(last) + 1, int(self.setting("first_seq") or 1))

    def reserve(self) -> int:
        """Spend the next number on a record that is to come."""
        seq = self.next_seq()
        self._db.execute("INSERT INTO record (seq, state) VALUES (?, 'reserved')", (seq,))
        return seq

    def reserved(self) -> int | None:
        """Return the number that waits for its record, if there is one."""
        row = self._db.execute("SELECT seq FROM record WHERE state = 'reserved'").fetchone()
        return row[0] if row else None

    def add(
        self,
        record: Record,
        *,
        of_seq: int | None,
        totals: tuple[int, Amounts],
        claim: bytes | None = None,
        card_error: str | None = None,
    ) -> None:
        """Keep a record, new or under its reserved number, with the digest after it, and add it to a year's totals.

        `of_seq` is the own record that it is about.
        """
        before = self.digest_before(record.seq)
        if before is None:
            raise StoreError(f"the chain has no digest before record {record.seq}: the till's file is damaged")
        self._db.execute(
            "REPLACE INTO record (seq, state, kind, of_seq, stored, digest, claim, card_error)"
            " VALUES (?, 'waiting', ?, ?, ?, ?, ?, ?)",
            (
                record.seq,
                record.kind,
                of_seq,
                record.to_json(),
                extended(before, line(record)),
                claim,
                card_error,
            ),
        )
        self.add_to_totals(*totals)

    def add_recovered(self, record: Record, *, of_seq: int | None, totals: tuple[int, Amounts]) -> None:
        """Keep a record that the server has and this file had lost; it is never sent."""
        self._db.execute(
            "INSERT INTO record (seq, state, kind, of_seq, stored) VALUES (?, 'recovered', ?, ?, ?)",
            (record.seq, record.kind, of_seq, record.to_json()),
        )
        self.add_to_totals(*totals)

    def row(self, seq: int) -> Row | None:
        """Return a record of this terminal, if this file has it."""
        return next(self._rows("WHERE seq = ? AND stored IS NOT NULL", (seq,)), None)

    def about(self, seq: int, kind: str) -> list[Row]:
        """Return the own records of a kind that are about this own record, oldest first."""
        return list(self._rows("WHERE of_seq = ? AND kind = ? ORDER BY seq", (seq, kind)))

    def waiting(self, limit: int) -> list[Row]:
        """Return the first records that are to be sent."""
        return list(self._rows("WHERE state = 'waiting' ORDER BY seq LIMIT ?", (limit,)))

    def first_unsent(self) -> int:
        """Return the first number that the server may not have yet."""
        first_waiting = self._db.execute("SELECT min(seq) FROM record WHERE state = 'waiting'").fetchone()[0]
        return first_waiting or self.reserved() or self.next_seq()

    def waiting_count(self) -> int:
        """Return how many records are to be sent."""
        return int(self._db.execute("SELECT count(*) FROM record WHERE state = 'waiting'").fetchone()[0])

    def rejected(self, limit: int) -> list[tuple[int, str, str]]:
        """Return the latest rejected records as (seq, code, message)."""
        query = "SELECT seq, code, message FROM record WHERE state = 'rejected' ORDER BY seq DESC LIMIT ?"
        return self._db.execute(query, (limit,)).fetchall()

    def rejected_count(self) -> int:
        """Return how many records were rejected."""
        return int(self._db.execute("SELECT count(*) FROM record WHERE state = 'rejected'").fetchone()[0])

    def _rows(self, where: str, values: Sequence[object]) -> Iterator[Row]:
        for seq, state, stored, digest, claim, card_error in self._db.execute(f"{_ROW} {where}", values):
            yield Row(seq=seq, state=state, stored=stored, digest=digest, claim=claim, card_error=card_error)

    # What the server answered

    def mark_sent(self, seqs: Sequence[int]) -> None:
        """Note that the server has these records."""
        self._db.executemany("UPDATE record SET state = 'sent' WHERE seq = ?", [(seq,) for seq in seqs])

    def mark_rejected(self, seq: int, code: str, message: str) -> None:
        """Note that a record is refused for good, and why."""
        self._db.execute(
            "UPDATE record SET state = 'rejected', code = ?, message = ? WHERE seq = ?", (code, message, seq)
        )

    def mark_known(self, next_seq: int) -> None:
        """The server knows our records below `next_seq`, and no others: send on from there."""
        self._db.execute("UPDATE record SET state = 'sent' WHERE seq < ? AND state = 'waiting'", (next_seq,))
        self._db.execute(
            "UPDATE record SET state = 'waiting' WHERE seq >= ? AND state IN ('sent', 'rejected')", (next_seq,)
        )

    def mark_missing(self, low: int, high: int) -> int:
        """The server lacks these records: send again those that we have. Returns how many."""
        return self._db.execute(
            "UPDATE record SET state = 'waiting' WHERE seq BETWEEN ? AND ? AND state IN ('sent', 'rejected')",
            (low, high),
        ).rowcount

    # The chain

    def digest_before(self, seq: int) -> bytes | None:
        """Return the chain's digest before a number, or None where this file has none."""
        if seq == int(self.setting("first_seq") or 1):
            return self.setting("first_digest")
        row = self._db.execute("SELECT digest FROM record WHERE seq = ?", (seq - 1,)).fetchone()
        return row[0] if row else None

    def restart_chain(self, first_seq: int, first_digest: bytes) -> None:
        """Let the chain begin at `first_seq`, `first_digest` being before it; digests from there are made anew."""
        self.keep_setting("first_seq", str(first_seq).encode())
        self.keep_setting("first_digest", first_digest)
        digest = first_digest
        for row in list(self._rows("WHERE seq >= ? AND stored IS NOT NULL ORDER BY seq", (first_seq,))):
            digest = extended(digest, line(row.record))
            self._db.execute("UPDATE record SET digest = ? WHERE seq = ?", (digest, row.seq))

    # Totals, claims, tiers

    def add_to_totals(self, year: int, amounts: Amounts) -> None:
        """Add amounts (minor units, either sign) to the totals of a tax year."""
        self._db.executemany(
            "INSERT INTO total (year, tier, amount_minor) VALUES (?, ?, ?)"
            " ON CONFLICT (year, tier) DO UPDATE SET amount_minor = amount_minor + excluded.amount_minor",
            [(year, tier, amount) for tier, amount in amounts.items()],
        )

    def totals(self, year: int) -> tuple[tuple[str, int], ...]:
        """Return a tax year's own totals by tier, without those at 0."""
        query = "SELECT tier, amount_minor FROM total WHERE year = ? AND amount_minor <> 0 ORDER BY tier"
        return tuple(self._db.execute(query, (year,)))

    def forget_claims(self) -> None:
        """Forget the codes on receipts: who reads the file later cannot claim with them."""
        self._db.execute("UPDATE record SET claim = NULL WHERE claim IS NOT NULL")

    def keep_tiers(self, on_date: str, document: bytes) -> None:
        """Keep the tiers of a day."""
        self._db.execute("REPLACE INTO tiers (on_date, document) VALUES (?, ?)", (on_date, document))

    def tiers_on(self, on_date: str) -> bytes | None:
        """Return the newest tiers that are not of a later day."""
        query = "SELECT document FROM tiers WHERE on_date <= ? ORDER BY on_date DESC LIMIT 1"
        row = self._db.execute(query, (on_date,)).fetchone()
        return row[0] if row else None

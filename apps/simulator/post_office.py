"""A post office that pays letters, once each, to whoever brings one by its last day, and writes result files.

It knows folders alone: orders come in, results go out. What it paid is in a ledger of its own (SQLite).
"""

import os
import sqlite3
from datetime import date
from pathlib import Path
from typing import Final

from apps.kernel.errors import KanpuError
from apps.payouts.letters.files import END, ORDER, code_sha256, result_lines
from apps.residents.notice_codes import typed

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS letter (reference TEXT PRIMARY KEY, code TEXT NOT NULL UNIQUE, amount INTEGER NOT NULL,
                                   until TEXT NOT NULL, said TEXT, told INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS told (number INTEGER PRIMARY KEY);
"""


class LetterRefused(KanpuError):
    """No letter has this code, it was paid before, or its last day is over."""

    code = "letter_refused"


class OrderBad(KanpuError):
    """A file that came is no order of letters."""

    code = "order_bad"


class PostOffice:
    """The post office at work. One process at a time."""

    def __init__(self, orders: Path, results: Path, own: Path) -> None:
        self.orders, self.results = orders, results
        for folder in (orders, results, own):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.ledger = sqlite3.connect(own / "letters.sqlite3", isolation_level=None)
        self.ledger.executescript("PRAGMA synchronous = FULL;" + SCHEMA)

    def take_orders(self) -> int:
        """Take the orders that have come; the same one again changes nothing. Returns how many. Raises OrderBad."""
        taken = 0
        for path in sorted(self.orders.glob("kanpu-*.csv")):
            self._take(path.read_text("ascii").splitlines())
            path.unlink()
            taken += 1
        return taken

    def cash(self, code: str, on: date) -> int:
        """Pay a letter, once. Returns the amount. Raises LetterRefused."""
        return self._pay("code = ?", code_sha256(typed(code)).hex(), on)

    def cash_brought(self, reference: str, on: date) -> int:
        """The same in a play that has no paper, by the letter's number."""
        return self._pay("reference = ?", reference, on)

    def give_up(self, on: date) -> int:
        """Pay no letter any more whose last day is over. Returns how many."""
        over = "UPDATE letter SET said = 'expired' WHERE said IS NULL AND until < ?"
        return self.ledger.execute(over, [on.isoformat()]).rowcount

    def tell(self) -> Path | None:
        """Write what was not told yet into a file; None when there is nothing."""
        self.ledger.execute("BEGIN IMMEDIATE")
        new = "SELECT reference, amount, said FROM letter WHERE said IS NOT NULL AND told = 0 ORDER BY reference"
        results = self.ledger.execute(new).fetchall()
        number = self.ledger.execute("INSERT INTO told DEFAULT VALUES").lastrowid if results else None
        self.ledger.execute("UPDATE letter SET told = 1 WHERE said IS NOT NULL")
        if not results:
            self.ledger.execute("COMMIT")
            return None
        path = self.results / f"letters-{number:06}.csv"
        part = path.with_name("." + path.name)
        part.write_text("".join(f"{line}\n" for line in result_lines(results)), "ascii")
        os.replace(part, path)
        self.ledger.execute("COMMIT")
        return path

    def _take(self, lines: list[str]) -> None:
        rows = [line.split(";") for line in lines]
        if not rows or rows[0][0] != ORDER or rows[-1][0] != END or int(rows[-1][1]) != len(rows) - 2:
            raise OrderBad("The file is no whole order of letters.")
        self.ledger.execute("BEGIN IMMEDIATE")
        self.ledger.executemany(
            "INSERT OR IGNORE INTO letter (reference, code, amount, until) VALUES (?, ?, ?, ?)", rows[1:-1]
        )
        self.ledger.execute("COMMIT")

    def _pay(self, which: str, value: str, on: date) -> int:
        paid = f"UPDATE letter SET said = 'paid' WHERE {which} AND said IS NULL AND until >= ? RETURNING amount"  # noqa: S608
        row = self.ledger.execute(paid, [value, on.isoformat()]).fetchone()
        if row is None:
            raise LetterRefused("No letter has this code, it was paid before, or its last day is over.")
        return int(row[0])

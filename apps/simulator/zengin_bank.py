"""A bank that takes transfer files from a folder, pays, fails and sends back by rule, and writes result files.

A process of its own, on folders alone: it knows nothing of Kanpu's database. What it did is in a ledger of its own
(SQLite), so it can be killed at any moment and pays no file twice. What becomes of a transfer follows from the seed and
the transfer's reference.
"""

import hashlib
import os
import random
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from apps.kernel.errors import KanpuError
from apps.payouts.zengin.layout import DATA, TRAILER, offsets, render
from apps.payouts.zengin.reading import Problem, read_file

PAID, NO_ACCOUNT, OTHER_NAME, RETURNED = "0", "1", "2", "8"
CODES: Final = {PAID: "paid", NO_ACCOUNT: "failed", OTHER_NAME: "failed", RETURNED: "returned"}
RESULT_AT: Final = offsets(DATA)["result"][0]
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS file (sha256 TEXT PRIMARY KEY, name TEXT NOT NULL, times INTEGER NOT NULL DEFAULT 1,
                                 told INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS transfer (reference TEXT PRIMARY KEY, sha256 TEXT NOT NULL, amount INTEGER NOT NULL,
                                     code TEXT NOT NULL, comes_back INTEGER NOT NULL);
"""


class FileBad(KanpuError):
    """A file that came is none that a bank takes."""

    code = "file_bad"


@dataclass(frozen=True, slots=True)
class Rule:
    """Of a thousand transfers so many fail, and so many that are paid come back. With `faults` result files come twice,
    cut in half, and in any order.
    """

    seed: int = 0
    fail: int = 20
    come_back: int = 10
    faults: bool = False

    def result_of(self, reference: str) -> tuple[str, bool]:
        """The result's code, and whether the money comes back after it was paid."""
        drawn = int.from_bytes(hashlib.sha256(f"{self.seed} {reference}".encode()).digest()[:8], "big")
        if drawn % 1_000 < self.fail:
            return (NO_ACCOUNT, OTHER_NAME)[drawn % 2], False
        return PAID, drawn // 1_000 % 1_000 < self.come_back


@dataclass(frozen=True, slots=True)
class Folders:
    """Where files come in, where results go out, and what the bank keeps for itself."""

    outgoing: Path
    incoming: Path
    own: Path


class Bank:
    """The bank at work. One process at a time."""

    def __init__(self, folders: Folders, rule: Rule) -> None:
        self.folders, self.rule = folders, rule
        for folder in (folders.outgoing, folders.incoming, folders.own):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.ledger = sqlite3.connect(folders.own / "ledger.sqlite3", isolation_level=None)
        self.ledger.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;" + SCHEMA)

    def work(self) -> int:
        """Take what has come, and tell of what was not told. Returns how many files."""
        taken = sum(self._take(path) for path in sorted(self.folders.outgoing.iterdir()) if path.name[0] != ".")
        for sha256, name in self.ledger.execute("SELECT sha256, name FROM file WHERE told = 0").fetchall():
            self._tell(self.folders.own / sha256, Path(name).stem)
            self.ledger.execute("UPDATE file SET told = 1 WHERE sha256 = ?", [sha256])
        return taken

    def totals(self) -> tuple[int, int]:
        """How much left for good, of how many transfers."""
        kept = "SELECT coalesce(sum(amount), 0), count(*) FROM transfer WHERE code = '0' AND NOT comes_back"
        found: tuple[int, int] = self.ledger.execute(kept).fetchone()
        return found

    def _take(self, path: Path) -> bool:
        """Pay a file, once: the same bytes under whatever name are another copy of it."""
        content = path.read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        kept = self.folders.own / sha256
        if not kept.exists():
            _write(kept, content)
        self.ledger.execute("BEGIN IMMEDIATE")
        known = self.ledger.execute("SELECT times FROM file WHERE sha256 = ?", [sha256]).fetchone()
        if known:
            self.ledger.execute("UPDATE file SET times = times + 1 WHERE sha256 = ?", [sha256])
        else:
            self.ledger.execute("INSERT INTO file (sha256, name) VALUES (?, ?)", [sha256, path.name])
            self.ledger.executemany("INSERT INTO transfer VALUES (?, ?, ?, ?, ?)", self._paid(kept, sha256))
        self.ledger.execute("COMMIT")
        path.unlink()
        return True

    def _paid(self, path: Path, sha256: str) -> Iterator[tuple[str, str, int, str, bool]]:
        with path.open("rb") as file:
            for found in read_file(file):
                if isinstance(found, Problem):
                    raise FileBad(f"{path.name}, line {found.line}: {found.why}")
                if found.kind == "2":
                    yield found.reference, sha256, int(found.values["amount"]), *self.rule.result_of(found.reference)

    def _tell(self, path: Path, stem: str) -> None:
        """The result file, and the return file if money comes back; with faults more of both."""
        results = self._answer(path, is_return=False)
        files = [(f"{stem}-results.txt", results)]
        if back := self._answer(path, is_return=True):
            files.append((f"{stem}-returns.txt", back))
        if self.rule.faults:
            files = self._with_faults(files)
        for name, content in files:
            _write(self.folders.incoming / name, content)

    def _with_faults(self, files: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
        chosen = random.Random(f"{self.rule.seed} {files[0][0]}")  # noqa: S311 - a play  # nosec B311
        more = [(f"again-{name}", content) for name, content in files]
        more += [(f"half-{name}", content[: chosen.randrange(len(content))]) for name, content in files]
        more += files
        chosen.shuffle(more)
        return [(f"{number}-{name}", content) for number, (name, content) in enumerate(more)]

    def _answer(self, path: Path, *, is_return: bool) -> bytes:
        """The file as it came, with a code in each transfer's record; of a return file only what comes back."""
        lines: list[bytes] = []
        count = total = 0
        for raw in path.read_bytes().split(b"\r\n"):
            if raw[:1] == b"2":
                if code := self._code(raw, is_return=is_return):
                    lines.append(raw[:RESULT_AT] + code.encode() + raw[RESULT_AT + 1 :])
                    count, total = count + 1, total + int(raw[80:90])
            else:
                lines.append(render(TRAILER, {"count": count, "sum": total}) if raw[:1] == b"8" else raw)
        return b"\r\n".join(lines) if count else b""

    def _code(self, raw: bytes, *, is_return: bool) -> str:
        """What the file says of a transfer, nothing where it is not in the file."""
        code, comes_back = self.rule.result_of(_reference(raw))
        if is_return:
            return RETURNED if code == PAID and comes_back else ""
        return code


def _reference(raw: bytes) -> str:
    at, length = offsets(DATA)["customer_code_1"]
    return raw[at : at + 2 * length].decode("ascii").rstrip()


def _write(path: Path, content: bytes) -> None:
    """Whole or not there."""
    part = path.with_name("." + path.name)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def serve(bank: Bank, *, every_s: float = 0.2) -> None:
    """Work until the process is ended."""
    while True:
        bank.work()
        time.sleep(every_s)

"""One process at a time: a lock beside a file that the system lets go of when its holder dies, however it dies."""

import sqlite3
from pathlib import Path

from kanpu_pos.store import StoreError


class FileLock:
    """The right to a file. SQLite's own locks, since they work alike on every system that runs tills."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(f"{path}.lock")
        self._db: sqlite3.Connection | None = None

    def take(self, *, wait_s: float) -> bool:
        """Take the lock, waiting up to `wait_s` seconds for another holder; say whether that succeeded.

        Raises StoreError when the folder is not there, or not ours to write in.
        """
        db = None
        try:
            db = sqlite3.connect(self._path, timeout=wait_s, isolation_level=None, check_same_thread=False)
            db.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            if db is not None:
                db.close()
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                return False
            raise StoreError(f"{self._path} cannot be opened: {error}") from error
        self._db = db
        return True

    def release(self) -> None:
        """Let go."""
        if self._db is not None:
            self._db.close()
            self._db = None

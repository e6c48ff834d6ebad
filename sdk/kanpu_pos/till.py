"""A till: rings up without ever waiting for the network, and keeps each record until the server has it."""

import threading
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kanpu_pos import enrolment
from kanpu_pos.background import Background
from kanpu_pos.client import Client
from kanpu_pos.fields import check_terminal
from kanpu_pos.lock import FileLock
from kanpu_pos.register import FAR_AHEAD, Register, TillError
from kanpu_pos.seal import digest_0
from kanpu_pos.sending import Progress, Sent, drain, refresh
from kanpu_pos.store import Store

OPEN_WAIT_S: Final = 5.0
REJECTED_SHOWN: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How a till stands. `rejected` are the latest refused records as (seq, code, message), of `rejected_count` in all.

    `last_error` is why the last sending in the background failed, None when it did not.
    """

    terminal: str
    sealed: bool
    next_seq: int
    waiting: int
    rejected: tuple[tuple[int, str, str], ...]
    rejected_count: int
    keys_until: datetime | None
    tiers_on: date | None
    last_error: str | None


class Till(Register):
    """One terminal with its file. Threads may share it; a second process is refused while it is open.

    Selling never waits for the network: sealing keys and tiers are kept in the file. A record is durable in the file,
    under a number that is never given out again, before its method returns, whatever happens to the process.
    """

    def __init__(self, path: str | Path, *, terminal: str | None = None, client: Client | None = None) -> None:
        """Open the till's file; a new one needs `terminal`. Without a `client` it sells but cannot send.

        A number that a crash left without a record is recorded as unused. Raises TillError: `till_busy`,
        `terminal_needed`, `terminal_differs`; StoreError for a file that is none.
        """
        self._client = client
        self._background: Background | None = None
        self._sending = threading.Lock()
        self._file_lock = FileLock(path)
        if not self._file_lock.take(wait_s=OPEN_WAIT_S):
            raise TillError("till_busy", f"{path} is open in another process: stop that one, or use its gateway")
        try:
            store, self._sending_store = Store(path), Store(path)
            super().__init__(store, _settled(store, terminal))
        except BaseException:
            self._file_lock.release()
            raise

    def send(self, progress: Progress | None = None) -> Sent:
        """Send all that waits, now; `progress(done, in_all)` is called after each batch.

        Raises TillError `offline`, ChainError, and what Client.report raises; what was acknowledged before stays so.
        """
        with self._sending:
            key = self._private_key()
            return drain(self._sending_store, self._online(), self._terminal, private_key=key, progress=progress)

    def refresh(self) -> None:
        """Fetch the sealing keys, and today's tiers.

        Raises TillError `offline`, and what the client raises.
        """
        with self._sending:
            refresh(self._sending_store, self._online())

    def enrol(self, enrolment_code: str) -> None:
        """Give this till a key pair of its own, its public half registered with a one-time code.

        A new file, as after a broken disk, continues from the server's next number and head. No sale can be recorded
        while that goes on. Raises EnrolmentError, TillError `offline`, and what the client raises.
        """
        client = self._online()
        with self._lock, self._sending:
            refresh(self._sending_store, client)
            enrolment.enrol(self._sending_store, client, self._terminal, enrolment_code, zone=self._zone)

    def use_key(self, private_key: Ed25519PrivateKey) -> None:
        """Seal with a key pair that was made elsewhere, for a new file of a terminal enrolled with its public half.

        Raises TillError `not_new` when the file has records, or another key.
        """
        raw = private_key.private_bytes_raw()
        with self._lock, self._store.transaction():
            if self._store.setting("private_key") == raw:
                return
            if self._store.next_seq() > 1 or self._store.setting("private_key"):
                raise TillError("not_new", "this file has records or a key: enrol it with a one-time code instead")
            self._store.keep_setting("private_key", raw)

    def start(self) -> None:
        """Send in the background from now on, and keep keys and tiers fresh. Raises TillError `offline`."""
        self._online()
        if self._background is None:
            self._background = Background(send=self.send, refresh=self.refresh)
            self._background.start()

    def status(self) -> Status:
        """Return how this till stands; asks nobody."""
        with self._lock:
            keys, tiers = self._reader(), self._tiers(FAR_AHEAD)
            return Status(
                terminal=self._terminal,
                sealed=self._store.setting("private_key") is not None,
                next_seq=self._store.next_seq(),
                waiting=self._store.waiting_count(),
                rejected=tuple(self._store.rejected(REJECTED_SHOWN)),
                rejected_count=self._store.rejected_count(),
                keys_until=keys.seal_until,
                tiers_on=tiers.on if tiers else None,
                last_error=self._background.last_error if self._background else None,
            )

    def close(self, *, wait_s: float = 5.0) -> None:
        """Stop sending and let go of the file; what waits is sent when it is opened again."""
        if self._background is not None:
            self._background.stop(wait_s=wait_s)
        with self._lock:
            self._store.close()
            self._file_lock.release()
        if self._sending.acquire(timeout=wait_s):  # else a thread is busy: it does no more harm than a crash
            self._sending_store.close()
            self._sending.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _private_key(self) -> Ed25519PrivateKey | None:
        raw = self._sending_store.setting("private_key")
        return Ed25519PrivateKey.from_private_bytes(raw) if raw else None

    def _online(self) -> Client:
        if self._client is None:
            raise TillError("offline", "this till was opened without a client: it can sell, but not send")
        return self._client

    def _wake(self) -> None:
        if self._background is not None:
            self._background.wake()


def _settled(store: Store, terminal: str | None) -> str:
    """Begin a new file, or check that an old one is of this terminal; return its code."""
    kept = store.setting("terminal")
    if kept is not None:
        if terminal not in (None, kept.decode()):
            raise TillError("terminal_differs", f"this file is of the terminal {kept.decode()}, not {terminal}")
        return kept.decode()
    if terminal is None:
        raise TillError("terminal_needed", "this file is new: say which terminal it is for")
    check_terminal(terminal)
    with store.transaction():
        store.keep_setting("terminal", terminal.encode())
        store.restart_chain(1, digest_0(terminal))
    return terminal

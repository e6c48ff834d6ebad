"""Sending what waits in the till's file, until the server has all of it; keeping its keys and tiers fresh."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NoReturn, TypeAlias

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kanpu_pos.client import Client
from kanpu_pos.connection import ApiError
from kanpu_pos.errors import KanpuPosError
from kanpu_pos.report import Report
from kanpu_pos.seal import sign
from kanpu_pos.store import Row, Store
from kanpu_pos.terminals import digest_of
from kanpu_pos.tiers import Tiers

Progress: TypeAlias = Callable[[int, int], None]  # (records done, records in all)

ROWS_A_TIME: Final = 1_000


class ChainError(KanpuPosError):
    """The server's records and this till's cannot be brought together by sending; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Sent:
    """How many records the server has taken in this go, and how many of them it rejected."""

    count: int = 0
    rejected: int = 0


def drain(
    store: Store,
    client: Client,
    terminal: str,
    *,
    private_key: Ed25519PrivateKey | None,
    progress: Progress | None = None,
) -> Sent:
    """Send all that waits, in order, and mark each batch as soon as the server has it.

    Where the server knows more or fewer of our records than we thought, goes on from its `next_seq`. Raises ChainError
    when it has others under our numbers, and what Client.report raises.
    """
    sender = _Sender(store, client, terminal, private_key, progress)
    mended_at = None
    while rows := store.waiting(ROWS_A_TIME):
        try:
            sender.send(rows)
        except ApiError as error:
            next_seq = _mended(store, error)
            if next_seq == mended_at:  # nothing has moved since: it would go on for ever
                _give_up(error)
            mended_at = next_seq
    return sender.sent


class _Sender:
    """One go at sending: counts, and asks again only once for what the server lacks."""

    def __init__(
        self,
        store: Store,
        client: Client,
        terminal: str,
        private_key: Ed25519PrivateKey | None,
        progress: Progress | None,
    ) -> None:
        self.sent = Sent()
        self._store, self._client, self._terminal, self._private_key = store, client, terminal, private_key
        self._progress = progress
        self._in_all = store.waiting_count()
        self._sent_again = False

    def send(self, rows: Sequence[Row]) -> None:
        """Send these rows, in batches that the server takes."""
        key = self._private_key
        seal_at = (lambda index: sign(key, rows[index].digest or b"")) if key else None
        stored = (row.stored for row in rows)
        self._client.report(
            self._terminal, stored, seal_at=seal_at, on_batch=lambda report: self._acknowledge(rows, report)
        )

    def _acknowledge(self, rows: Sequence[Row], report: Report) -> None:
        batch = rows[report.first_index : report.first_index + report.count]
        with self._store.transaction():
            self._store.mark_sent([row.seq for row in batch])
            for rejected in report.rejected:
                self._store.mark_rejected(rows[rejected.index].seq, rejected.code, rejected.message)
            self._queue_missing(report)
        self.sent = Sent(self.sent.count + report.count, self.sent.rejected + len(report.rejected))
        if self._progress:
            self._progress(self.sent.count, max(self._in_all, self.sent.count))

    def _queue_missing(self, report: Report) -> None:
        """A server that was set back to a backup lacks what it had acknowledged."""
        if not self._sent_again:
            self._sent_again = sum(self._store.mark_missing(low, high) for low, high in report.missing) > 0


def refresh(store: Store, client: Client) -> None:
    """Fetch the sealing keys, and today's tiers. Raises what the client raises."""
    keys = client.keys()
    with store.transaction():
        store.keep_setting("keys", json.dumps([key.to_row() for key in keys]).encode())
    tiers = client.tiers()
    kept = store.tiers_on(tiers.on.isoformat())
    if kept is None or replace(Tiers.from_json(kept), on=tiers.on) != tiers:
        with store.transaction():
            store.keep_tiers(tiers.on.isoformat(), tiers.document)


def _mended(store: Store, error: ApiError) -> int:
    """Return the number to go on from after `chain_broken`, our records below it being known to the server."""
    next_seq, head = error.details.get("next_seq"), digest_of(error.details.get("head"))
    if error.code in ("seal_missing", "seal_mismatch"):
        _give_up(error)
    if error.code != "chain_broken" or type(next_seq) is not int:
        raise error
    if next_seq > store.next_seq() or head is None or store.digest_before(next_seq) != head:
        _give_up(error)
    with store.transaction():
        store.mark_known(next_seq)
    return next_seq


def _give_up(error: ApiError) -> NoReturn:
    if error.code == "seal_missing":
        todo = "This till has no key, but the server expects its records sealed: enrol it with a one-time code"
    else:
        todo = (
            "The server has other records, or another key, for this terminal than this till's file. Keep the file "
            "as it is, start a new one, and enrol it with a new one-time code"
        )
    raise ChainError(f"{todo} ({error})") from error

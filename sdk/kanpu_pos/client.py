"""The POS API's addresses: report records, read them back, enrol terminals, fetch keys and tiers."""

import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from types import TracebackType
from typing import Self

import httpx

from kanpu_pos import base64url
from kanpu_pos.batch import Batch, split
from kanpu_pos.connection import Connection
from kanpu_pos.fields import check_terminal
from kanpu_pos.outcomes import Outcome
from kanpu_pos.reader import SealingKey
from kanpu_pos.report import Report, parse_report
from kanpu_pos.retry import Clock
from kanpu_pos.seal import Seal
from kanpu_pos.shape import UnexpectedAnswerError, json_of, list_of, object_of, text_in, text_or_none
from kanpu_pos.terminals import Enrolment, Terminal
from kanpu_pos.testing import TestCard
from kanpu_pos.tiers import Tiers


class Client:
    """A connection to the POS API for one API key.

    Make one per process and share it between threads; they share its connections, and it holds nothing else
    that changes. After a fork make a new one. Two threads should not report the same terminal at once: it
    does no harm, but each sends what the other has sent. Close it, or use it in a `with` statement.

    Every method raises ApiError, GaveUpError and UnexpectedAnswerError.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        timeout_s: float,
        give_up_after_s: float = 120.0,
        software: str | None = None,
        language: str = "en",
        compress: bool = True,
        transport: httpx.BaseTransport | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Prepare the client; nothing is sent yet.

        `timeout_s` bounds each wait for the network (to connect, to send, to receive). `give_up_after_s`
        bounds the retries of one batch: no attempt starts later than that after its first. `software` is
        `vendor/product/version`. `language` (`ja` or `en`) is that of the server's messages. `compress` sends bodies
        as gzip. Raises SetupError.
        """
        self._connection = Connection(
            base_url,
            api_key,
            limits_s=(timeout_s, give_up_after_s),
            software=software,
            language=language,
            transport=transport,
            clock=clock or Clock(),
        )
        self._keys_of_mode = {"mode": "test"} if api_key.startswith("kp_test_") else {}
        self._compress = compress

    def report(
        self,
        terminal: str,
        records: Iterable[bytes],
        *,
        seal_at: Callable[[int], Seal] | None = None,
        on_batch: Callable[[Report], None] | None = None,
    ) -> Report:
        """Send the stored `records` of `terminal`, in order, and return what became of them.

        Records are read and sent a batch at a time (1,000 records, 1 MiB). A terminal that is enrolled with a key
        needs `seal_at(index)`: the seal after the record at that position. `on_batch` gets each batch's report as
        soon as the server has acknowledged it and before the next is sent: mark its records as reported there, for
        an error later on takes the final report with it.

        A batch is sent again, the same bytes, after a lost connection, a time-out, 429, 500, 502, 503 or 504,
        with full jitter after what `Retry-After` asks for. If only the answer was lost, the server has the
        records and counts them as duplicates: after a retry `accepted + duplicates` is what is durable.

        Raises FieldError (terminal), StoredRecordError, ApiError, GaveUpError and UnexpectedAnswerError.
        """
        total = Report()
        for batch in split(terminal, records, seal_at=seal_at):
            answered = self._report_batch(batch)
            total = total.followed_by(answered)
            if on_batch is not None:
                on_batch(answered)
        return total

    def keys(self) -> tuple[SealingKey, ...]:
        """Return the sealing keys for readers (`GET /v1/keys`), to be kept until their `seal_until`.

        They are those of the API key's mode: test cards have sealing keys of their own. The API key itself is not
        sent.
        """
        rows = json_of(self._connection.get("/v1/keys", params=self._keys_of_mode, with_key=False))
        try:
            return tuple(SealingKey.from_json(object_of(row, "keys")) for row in list_of(rows, "keys"))
        except ValueError as error:
            raise UnexpectedAnswerError(f"GET /v1/keys did not answer with a list of keys: {error}") from error

    def tiers(self, on: date | None = None) -> Tiers:
        """Return the tiers in force `on` a day, by default today, with their rates and names (`GET /v1/tiers`)."""
        return Tiers.from_json(self._connection.get("/v1/tiers", params={"on": on.isoformat()} if on else None))

    def terminal(self, code: str) -> Terminal:
        """Return where a terminal stands: next seq, head, missing ranges, last closing (`GET /v1/terminals/{code}`)."""
        check_terminal(code)
        return Terminal.from_json(self._connection.get(f"/v1/terminals/{code}"))

    def purchases(
        self,
        terminal: str,
        *,
        from_seq: int | None = None,
        status: str | None = None,
        changed_after: datetime | None = None,
    ) -> Iterator[Outcome]:
        """Yield what became of a terminal's records (`GET /v1/purchases`), 1,000 at a time; scope `read`."""
        check_terminal(terminal)
        asked = {"terminal": terminal, "limit": "1000", "from_seq": from_seq, "status": status, "cursor": None}
        asked["changed_after"] = changed_after.isoformat() if changed_after else None
        while True:
            params = {name: str(value) for name, value in asked.items() if value is not None}
            answer = object_of(json_of(self._connection.get("/v1/purchases", params=params)), "answer")
            yield from map(Outcome.from_row, list_of(answer.get("purchases"), "purchases"))
            asked["cursor"] = text_or_none(answer.get("next_cursor"))
            if asked["cursor"] is None:
                return

    def enrol_terminals(self, terminals: Sequence[Mapping[str, object]]) -> tuple[Enrolment, ...]:
        """Enrol up to 1,000 terminals and return what became of each (`POST /v1/terminals`, scope `enrol`).

        Each has `code` and `store`, and may have `region`, `latitude`, `longitude`, `public_key` (base64url) and
        `replaces`. Without a key, the answer has a one-time code with which the till registers its own.
        """
        answer = object_of(json_of(self._post("/v1/terminals", {"terminals": list(terminals)})), "answer")
        return tuple(Enrolment.from_row(row) for row in list_of(answer.get("results"), "results"))

    def enrolment_code(self, code: str) -> str:
        """Return a new one-time code for the terminal's till to register a key with; scope `enrol`."""
        check_terminal(code)
        answer = json_of(self._post(f"/v1/terminals/{code}/enrolment-codes", {}))
        return text_in(object_of(answer, "answer"), "enrolment_code")

    def register_key(self, code: str, *, enrolment_code: str, public_key: bytes) -> None:
        """Make an Ed25519 public key (32 bytes) the terminal's. The one-time code proves the right: no API key is sent.

        From then on the server takes only sealed batches of this terminal.
        """
        check_terminal(code)
        body = {"enrolment_code": enrolment_code, "public_key": base64url.encode(public_key)}
        self._post(f"/v1/terminals/{code}/key", body, with_key=False)

    def test_cards(self) -> tuple[TestCard, ...]:
        """Return the published test cards and what each is for (`GET /v1/test/cards`); test keys only."""
        rows = list_of(json_of(self._connection.get("/v1/test/cards")), "cards")
        return tuple(TestCard.from_row(row) for row in rows)

    def close(self) -> None:
        """Close the connections; the client cannot be used afterwards."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _report_batch(self, batch: Batch) -> Report:
        content, headers = batch.body, {}
        if self._compress:
            headers["Content-Encoding"] = "gzip"
            content = gzip.compress(batch.body, compresslevel=6, mtime=0)
        first_index = batch.first_index
        answer = self._connection.post("/v1/purchases", content, headers=headers, first_index=first_index)
        return parse_report(answer, first_index=first_index, count=batch.count)

    def _post(self, path: str, fields: Mapping[str, object], *, with_key: bool = True) -> bytes:
        return self._connection.post(path, json.dumps(fields).encode("utf-8"), with_key=with_key)

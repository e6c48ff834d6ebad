"""The POS API over HTTP: reports stored records until the server has acknowledged every one."""

import gzip
import json
import re
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Final, Self

import httpx

from kanpu_pos.batch import Batch, split
from kanpu_pos.errors import KanpuPosError
from kanpu_pos.reader import SealingKey
from kanpu_pos.report import Report, UnexpectedAnswerError, parse_report, shifted_param, text_or_none
from kanpu_pos.retry import RETRIED_STATUSES, Clock, wait_s
from kanpu_pos.version import VERSION

_API_KEY = re.compile(r"kp_(?:live|test)_[!-~]+")
_SOFTWARE = re.compile(r"[!-.0-~]+/[!-.0-~]+/[!-.0-~]+")

# The request may or may not have been carried out: only sending it again can tell.
_LOST: Final = (
    httpx.TimeoutException,
    httpx.NetworkError,
    httpx.RemoteProtocolError,
    httpx.ProxyError,
    httpx.DecodingError,
)


class SetupError(KanpuPosError, ValueError):
    """The client was given an address, key, software name or time limit that cannot be right."""


class ApiError(KanpuPosError):
    """The server refuses the whole request: the error object of its answer. A 4xx took nothing of the batch.

    Raised to the caller where sending it again would not help. `code` is for programs (empty when the answer
    has no error object), `message` for people, `request_id` for the support desk; positions in `param` count
    from what was passed in. `retry_after` is the header of that name as it came.
    """

    def __init__(
        self,
        status: int,
        code: str,
        *,
        param: str | None = None,
        message: str = "",
        doc_url: str | None = None,
        request_id: str | None = None,
        retry_after: str | None = None,
    ) -> None:
        super().__init__(status, code)
        self.status = status
        self.code = code
        self.param = param
        self.message = message
        self.doc_url = doc_url
        self.request_id = request_id
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.message} (request {self.request_id or 'unknown'})"


class GaveUpError(KanpuPosError):
    """The server could not be reached, or stayed busy, for `give_up_after_s`; the last reason is `__cause__`.

    Whether the last batch was taken is not known: report its records again later, the same bytes.
    """

    def __init__(self, attempts: int, elapsed_s: float, reason: str) -> None:
        super().__init__(attempts, elapsed_s, reason)
        self.attempts = attempts
        self.elapsed_s = elapsed_s
        self.reason = reason

    def __str__(self) -> str:
        return f"gave up after {self.attempts} attempts in {self.elapsed_s:.1f} s: {self.reason}"


class Client:
    """A connection to the POS API for one API key.

    Make one per process and share it between threads; they share its connections, and it holds nothing else
    that changes. After a fork make a new one. Two threads should not report the same terminal at once: it
    does no harm, but each sends what the other has sent. Close it, or use it in a `with` statement.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        timeout_s: float,
        give_up_after_s: float = 120.0,
        software: str | None = None,
        compress: bool = True,
        transport: httpx.BaseTransport | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Prepare the client; nothing is sent yet.

        `timeout_s` bounds each wait for the network (to connect, to send, to receive). `give_up_after_s`
        bounds the retries of one batch: no attempt starts later than that after its first. `software` is
        `vendor/product/version`. `compress` sends bodies as gzip. Raises SetupError.
        """
        _check_setup(base_url, api_key, software=software, limits_s=(timeout_s, give_up_after_s))
        self._authorization = f"Bearer {api_key}"
        self._keys_of_mode = {"mode": "test"} if api_key.startswith("kp_test_") else {}
        self._give_up_after_s = give_up_after_s
        self._compress = compress
        self._clock = clock or Clock()
        self._http = httpx.Client(base_url=base_url, headers=_headers(software), timeout=timeout_s, transport=transport)

    def report(
        self,
        terminal: str,
        records: Iterable[bytes],
        *,
        on_batch: Callable[[Report], None] | None = None,
    ) -> Report:
        """Send the stored `records` of `terminal`, in order, and return what became of them.

        Records are read and sent a batch at a time (1,000 records, 1 MiB). `on_batch` gets each batch's
        report as soon as the server has acknowledged it and before the next is sent: mark its records as
        reported there, for an error later on takes the final report with it.

        A batch is sent again, the same bytes, after a lost connection, a time-out, 429, 500, 502, 503 or 504,
        with full jitter after what `Retry-After` asks for. If only the answer was lost, the server has the
        records and counts them as duplicates: after a retry `accepted + duplicates` is what is durable.

        Raises FieldError (terminal), StoredRecordError, ApiError, GaveUpError and UnexpectedAnswerError.
        """
        total = Report()
        for batch in split(terminal, records):
            answered = self._report_batch(batch)
            total = total.followed_by(answered)
            if on_batch is not None:
                on_batch(answered)
        return total

    def keys(self) -> tuple[SealingKey, ...]:
        """Return the sealing keys for readers (`GET /v1/keys`), to be kept until their `seal_until`.

        They are those of the API key's mode: test cards have sealing keys of their own. The API key itself is not
        sent. Raises ApiError, GaveUpError and UnexpectedAnswerError.
        """
        response = self._answer(self._http.build_request("GET", "/v1/keys", params=self._keys_of_mode), first_index=0)
        try:
            return tuple(SealingKey.from_json(row) for row in response.json())
        except (ValueError, TypeError, AttributeError) as error:
            raise UnexpectedAnswerError(f"GET /v1/keys did not answer with a list of keys: {error}") from error

    def close(self) -> None:
        """Close the connections; the client cannot be used afterwards."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _report_batch(self, batch: Batch) -> Report:
        headers = {"Authorization": self._authorization, "Content-Type": "application/json"}
        content = batch.body
        if self._compress:
            headers["Content-Encoding"] = "gzip"
            content = gzip.compress(batch.body, compresslevel=6, mtime=0)
        request = self._http.build_request("POST", "/v1/purchases", content=content, headers=headers)
        response = self._answer(request, first_index=batch.first_index)
        return parse_report(response.content, first_index=batch.first_index, count=batch.count)

    def _answer(self, request: httpx.Request, *, first_index: int) -> httpx.Response:
        """Return the 200 that `request` gets in the end, sending it again where that may help."""
        started_s = self._clock.monotonic_s()
        attempts = 0
        while True:
            attempts += 1
            try:
                return _accepted(self._http.send(request), first_index=first_index)
            except _LOST as error:
                self._pause(attempts, started_s, reason=error, retry_after=None)
            except ApiError as error:
                if error.status not in RETRIED_STATUSES:
                    raise
                self._pause(attempts, started_s, reason=error, retry_after=error.retry_after)

    def _pause(self, attempts: int, started_s: float, *, reason: Exception, retry_after: str | None) -> None:
        """Sleep before the next attempt, or raise GaveUpError at once when that would start too late."""
        pause_s = wait_s(attempts, retry_after=retry_after, clock=self._clock)
        elapsed_s = self._clock.monotonic_s() - started_s
        if elapsed_s + pause_s > self._give_up_after_s:
            raise GaveUpError(attempts, elapsed_s, str(reason) or repr(reason)) from reason
        self._clock.sleep_s(pause_s)


def _accepted(response: httpx.Response, *, first_index: int) -> httpx.Response:
    """Return `response` if it is a 200; raise ApiError for 4xx and 5xx, UnexpectedAnswerError for others."""
    if response.status_code == httpx.codes.OK:
        return response
    if response.is_error:
        raise _api_error(response, first_index=first_index)
    raise UnexpectedAnswerError(f"{response.request.url} answered {response.status_code}: is it the POS API's address?")


def _api_error(response: httpx.Response, *, first_index: int) -> ApiError:
    error = _error_object(response.content)
    return ApiError(
        response.status_code,
        text_or_none(error.get("code")) or "",
        param=shifted_param(text_or_none(error.get("param")), first_index),
        message=text_or_none(error.get("message")) or f"{response.reason_phrase}, without an error object",
        doc_url=text_or_none(error.get("doc_url")),
        request_id=response.headers.get("Request-Id"),
        retry_after=response.headers.get("Retry-After"),
    )


def _error_object(body: bytes) -> dict[str, object]:
    """Return the answer's `error`; empty when something on the way, such as a proxy, answered instead."""
    try:
        error = json.loads(body)["error"]
    except (ValueError, TypeError, KeyError):
        return {}
    return error if isinstance(error, dict) else {}


def _headers(software: str | None) -> dict[str, str]:
    headers = {"Accept": "application/json", "User-Agent": f"kanpu-pos/{VERSION}"}
    return headers if software is None else {**headers, "Kanpu-Software": software}


def _check_setup(base_url: str, api_key: str, *, software: str | None, limits_s: tuple[float, float]) -> None:
    if not base_url.startswith(("https://", "http://")):
        raise SetupError(f"the base address starts with https:// (or http:// in a test), not {base_url!r}")
    if not _API_KEY.fullmatch(api_key):
        raise SetupError("the API key is none: it starts with kp_live_ or kp_test_ and has no spaces")
    if software is not None and not _SOFTWARE.fullmatch(software):
        raise SetupError(f"the software is named vendor/product/version, not {software!r}")
    if not all(limit_s > 0 for limit_s in limits_s):
        raise SetupError("timeout_s and give_up_after_s are more than 0 seconds")

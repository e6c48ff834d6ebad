"""HTTP to the POS API: what is sent again after a failure, and what each failure means."""

import json
import re
from collections.abc import Mapping
from typing import Final
from uuid import uuid4

import httpx

from kanpu_pos.errors import KanpuPosError
from kanpu_pos.report import shifted_param
from kanpu_pos.retry import RETRIED_STATUSES, Clock, wait_s
from kanpu_pos.shape import UnexpectedAnswerError, text_or_none
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
    from what was passed in. `retry_after` is the header of that name as it came, `details` the whole error object:
    `chain_broken` has `next_seq` and `head` there.
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
        details: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(status, code)
        self.status = status
        self.code = code
        self.param = param
        self.message = message
        self.doc_url = doc_url
        self.request_id = request_id
        self.retry_after = retry_after
        self.details = details or {}

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


class Connection:
    """Sends requests until they are answered. Threads may share it; after a fork make a new one."""

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        limits_s: tuple[float, float],
        software: str | None,
        language: str,
        transport: httpx.BaseTransport | None,
        clock: Clock,
    ) -> None:
        """`limits_s` are how long to wait for the network at a time, and how long to go on sending again."""
        _check_setup(base_url, api_key, software=software, limits_s=limits_s)
        timeout_s, self._give_up_after_s = limits_s
        self._authorization = {"Authorization": f"Bearer {api_key}"}
        self._clock = clock
        self._http = httpx.Client(
            base_url=base_url, headers=_headers(software, language), timeout=timeout_s, transport=transport
        )

    def get(self, path: str, *, params: Mapping[str, str] | None = None, with_key: bool = True) -> bytes:
        """Return the body of the answer to a GET. Raises ApiError, GaveUpError and UnexpectedAnswerError."""
        key = self._authorization if with_key else {}
        headers = {**_new_request_id(), **key}
        return self._answer(self._http.build_request("GET", path, params=params, headers=headers), first_index=0)

    def post(
        self,
        path: str,
        content: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        with_key: bool = True,
        first_index: int = 0,
    ) -> bytes:
        """Return the body of the answer to a POST of JSON; `first_index` shifts the positions that an error names.

        Raises ApiError, GaveUpError and UnexpectedAnswerError.
        """
        key = self._authorization if with_key else {}
        all_headers = {"Content-Type": "application/json", **_new_request_id(), **key, **(headers or {})}
        request = self._http.build_request("POST", path, content=content, headers=all_headers)
        return self._answer(request, first_index=first_index)

    def close(self) -> None:
        """Close the connections; nothing can be sent afterwards."""
        self._http.close()

    def _answer(self, request: httpx.Request, *, first_index: int) -> bytes:
        """Return the body of the 200 that `request` gets in the end, sending it again where that may help."""
        started_s = self._clock.monotonic_s()
        attempts = 0
        while True:
            attempts += 1
            try:
                return _accepted(self._http.send(request), first_index=first_index).content
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


def _new_request_id() -> dict[str, str]:
    """A number that the server's logs and the answer bear; the same when the request is sent again."""
    return {"Request-Id": str(uuid4())}


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
        details=error,
    )


def _error_object(body: bytes) -> dict[str, object]:
    """Return the answer's `error`; empty when something on the way, such as a proxy, answered instead."""
    try:
        error = json.loads(body)["error"]
    except (ValueError, TypeError, KeyError):
        return {}
    return error if isinstance(error, dict) else {}


def _headers(software: str | None, language: str) -> dict[str, str]:
    headers = {"Accept": "application/json", "Accept-Language": language, "User-Agent": f"kanpu-pos/{VERSION}"}
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

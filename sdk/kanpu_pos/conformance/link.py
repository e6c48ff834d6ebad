"""The wire: raw HTTP, so that a case may send what no library would; every exchange is kept for the report."""

import gzip
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

import httpx

from kanpu_pos.conformance.expecting import Failure, equal, field, true
from kanpu_pos.retry import retry_after_s
from kanpu_pos.version import VERSION

BUSY: Final = frozenset({429, 503})  # with Retry-After: the same again later
BUSY_AT_MOST: Final = 10
SHOWN_CHARACTERS: Final = 2_000

Body: TypeAlias = dict[str, Any] | bytes | Iterator[bytes]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer. `sent` and `answered` are texts."""

    request: str
    sent: str
    status: int
    headers: Mapping[str, str]
    answered: str

    @property
    def request_id(self) -> str:
        """The number that the server gave the request; empty when it gave none."""
        return self.headers.get("Request-Id", "")

    @property
    def json(self) -> Any:
        """The answer's JSON. Raises Failure when it is none."""
        try:
            return json.loads(self.answered)
        except ValueError:
            raise Failure("an answer in JSON", self.answered[:200]) from None

    def shown(self) -> str:
        """The exchange as a failing case shows it."""
        sent = f"\n{_short(self.sent)}" if self.sent else ""
        return f"{self.request}{sent}\n-> {self.status} {self.request_id}\n{_short(self.answered)}"


class Link:
    """A connection to the server under test. `exchanges` are those since the last `clear()`."""

    def __init__(self, base_url: str, api_key: str, *, software: str, timeout_s: float) -> None:
        self.exchanges: list[Exchange] = []
        self._key = {"Authorization": f"Bearer {api_key}"}
        headers = {
            "Kanpu-Software": software,
            "User-Agent": f"kanpu-pos-conformance/{VERSION}",
            "Accept-Language": "en",
        }
        # A server may close a connection after an answer: a new one for each request keeps that out of the findings.
        each_its_own = httpx.Limits(max_keepalive_connections=0)
        self._http = httpx.Client(base_url=base_url, headers=headers, timeout=timeout_s, limits=each_its_own)

    def get(self, path: str, *, headers: Mapping[str, str] | None = None, key: bool = True, **params: Any) -> Exchange:
        """Return the answer to a GET; `key=False` sends no API key."""
        return self.send("GET", path, headers=headers, key=key, params=params)

    def post(
        self, path: str, body: Body, *, headers: Mapping[str, str] | None = None, key: bool = True, zipped: bool = False
    ) -> Exchange:
        """Return the answer to a POST of JSON; bytes and iterators (sent in chunks) go as they are."""
        content = json.dumps(body, separators=(",", ":")).encode() if isinstance(body, dict) else body
        coded = {"Content-Encoding": "gzip"} if zipped else {}
        if zipped and isinstance(content, bytes):
            content = gzip.compress(content)
        headers = {"Content-Type": "application/json", **coded, **(headers or {})}
        return self.send("POST", path, content=content, headers=headers, key=key, sent=_text(body))

    def send(
        self,
        method: str,
        path: str,
        *,
        content: bytes | Iterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        key: bool = True,
        params: Mapping[str, Any] | None = None,
        sent: str = "",
    ) -> Exchange:
        """Return the answer, once the server is not too busy.

        Raises Failure when none comes, and when it breaks what holds for every answer: JSON, a Request-Id, an error
        object with its documentation, never a 500.
        """
        all_headers = {**(self._key if key else {}), **(headers or {})}
        given = {name: value for name, value in (params or {}).items() if value is not None}
        for _ in range(BUSY_AT_MOST):
            exchange = self._exchange(method, path, content=content, headers=all_headers, params=given, sent=sent)
            if exchange.status not in BUSY or isinstance(content, Iterator):
                break
            time.sleep(max(0.1, _wait_s(exchange)))
        _check_promises(exchange)
        return exchange

    def page(self, path: str) -> Exchange:
        """Return a page of documentation, which need not be JSON."""
        return self._exchange("GET", path, content=None, headers={}, params={}, sent="")

    def clear(self) -> None:
        """Forget the exchanges so far."""
        self.exchanges = []

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _exchange(
        self, method: str, path: str, *, content: Any, headers: Mapping[str, str], params: Mapping[str, Any], sent: str
    ) -> Exchange:
        request = self._http.build_request(method, path, content=content, headers=dict(headers), params=dict(params))
        name = f"{method} {request.url.raw_path.decode()}"
        try:
            response = self._http.send(request)
        except httpx.HTTPError as error:
            self.exchanges.append(Exchange(name, sent, 0, {}, repr(error)))
            raise Failure("an answer", f"none: {error!r}") from None
        exchange = Exchange(name, sent, response.status_code, response.headers, response.text)
        self.exchanges.append(exchange)
        return exchange


def _wait_s(exchange: Exchange) -> float:
    return retry_after_s(exchange.headers.get("Retry-After"), now=datetime.now(UTC))


def _check_promises(exchange: Exchange) -> None:
    true("a Request-Id with every answer", exchange.request_id, dict(exchange.headers))
    true("JSON, never a page", _is_json(exchange), exchange.answered[:200])
    true("never a 5xx", exchange.status < 500, exchange.status)
    if exchange.status >= 400:
        check_error(field(exchange.json, "error"))


def check_error(error: Any) -> None:
    """Raise Failure unless `error` is the protocol's error object."""
    for name in ("code", "message", "doc_url"):
        value = field(error, name)
        true(f"an error's {name}, a text", isinstance(value, str) and value, error)
    true("a doc_url that ends in #code", error["doc_url"].endswith(f"#{error['code']}"), error)


def refused(exchange: Exchange, status: int, code: str) -> Any:
    """Return the error object; raise Failure unless the request was refused as a whole with this status and code."""
    equal("HTTP status", status, exchange.status)
    error = field(exchange.json, "error")
    equal("code", code, error["code"])
    return error


def answered(exchange: Exchange) -> Any:
    """Return the JSON of a 200; raise Failure for anything else."""
    equal("HTTP status", 200, exchange.status)
    return exchange.json


def _is_json(exchange: Exchange) -> bool:
    return exchange.headers.get("Content-Type", "").partition(";")[0].strip() == "application/json"


def _text(body: Body) -> str:
    if isinstance(body, dict):
        return json.dumps(body, ensure_ascii=False)
    return body.decode(errors="replace") if isinstance(body, bytes) else "(in chunks)"


def _short(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]} … ({len(text)} characters)"

"""A POS API on a local port that takes purchases as the protocol says, but misbehaves when told to."""

import gzip
import json
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PUBLIC_KEY = "36jSzn5SczQkt2DHbpDXMseTa_y8KbSXjuR0-l-9OFY"
KEYS = [{"id": 1, "public_key": PUBLIC_KEY, "seal_until": "2099-01-01T00:00:00Z"}]
TIERS = {
    "on": "2017-04-03",
    "currency": "JPY",
    "minor_unit_digits": 0,
    "collected": "0.10",
    "tiers": [{"code": "reduced", "rate": "0.08", "name": {"ja": "飲食料品", "en": "Food and drink"}}],
}
CARDS = [
    {
        "name": "standard",
        "card_id": "0a" * 16,
        "card_key": "0b" * 32,
        "expect": {"status": "counted", "code": None},
        "purpose": {"ja": "数えられます", "en": "is counted"},
    }
]


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request: after storing it or before, by an answer, by a drop or by a delay."""

    status: int = 0
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    stores: bool = False
    delay_s: float = 0.0
    truncates: bool = False


DROP = Fault()
DROP_AFTER_STORING = Fault(stores=True)
TRUNCATED_ANSWER = Fault(stores=True, truncates=True)


def refusal(status: int, code: str = "unavailable", *, details: dict[str, Any] | None = None, **headers: str) -> Fault:
    """An answer with the protocol's error object; `Retry_After="3"` becomes the header Retry-After."""
    error = {"code": code, "param": "purchases[0]", "message": f"{code}!", "doc_url": f"/docs/errors#{code}"}
    error |= details or {}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fault(status, json.dumps({"error": error}).encode(), {"Request-Id": "req-1", **named})


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> bytes:
        return gzip.decompress(self.raw) if self.headers.get("content-encoding") == "gzip" else self.raw


class PosServer(ThreadingHTTPServer):
    """`faults` are used up one a request; with none left it behaves. `records` are what is durable."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.faults: deque[Fault] = deque()
        self.requests: list[Request] = []
        self.errors: list[BaseException | None] = []
        self.records: dict[tuple[str, int], dict[str, Any]] = {}
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep what went wrong, except that a client has given up waiting: that is part of the tests."""
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError):
            self.errors.append(error)

    def next_fault(self, request: Request) -> Fault | None:
        with self.lock:
            self.requests.append(request)
            return self.faults.popleft() if self.faults else None

    def take(self, request: Request) -> bytes:
        """Store a batch's new records; refuse those with the tier `unknown`."""
        batch = json.loads(request.body)
        assert len(batch["purchases"]) <= 1000
        assert len(request.body) <= 1_048_576
        with self.lock:
            rows = [self._taken(batch["terminal"], *row) for row in enumerate(batch["purchases"])]
            terminal = self._terminal(batch["terminal"])
        statuses = [row["status"] for row in rows]
        answer = {
            "accepted": statuses.count("accepted"),
            "duplicates": statuses.count("duplicate"),
            "rejected": statuses.count("rejected"),
            "results": [row for row in rows if row["status"] != "accepted"],
            "terminal": terminal,
        }
        return json.dumps(answer).encode()

    def _taken(self, terminal: str, index: int, record: dict[str, Any]) -> dict[str, Any]:
        key = (terminal, record["seq"])
        status = "duplicate" if self.records.get(key) == record else "accepted"
        self.records.setdefault(key, record)
        row = {"index": index, "seq": record["seq"], "status": status}
        if record.get("lines", [{"tier": ""}])[0]["tier"] == "unknown":
            param = f"purchases[{index}].lines[0].tier"
            error = {"code": "tier_unknown", "param": param, "message": "no such tier", "doc_url": "/docs"}
            row |= {"status": "rejected", "error": error}
        return row

    def _terminal(self, code: str) -> dict[str, Any]:
        seqs = {seq for terminal, seq in self.records if terminal == code}
        holes = [seq for seq in range(1, max(seqs)) if seq not in seqs]
        return {"next_seq": max(seqs) + 1, "missing": [[seq, seq] for seq in holes][:100]}


class _Handler(BaseHTTPRequestHandler):
    server: PosServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._handle(b"")

    def do_POST(self) -> None:
        self._handle(self.rfile.read(int(self.headers["Content-Length"])))

    def _handle(self, raw: bytes) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.path, headers, raw)
        fault = self.server.next_fault(request)
        if fault is None:
            self._answer(200, self._good_answer(request), {})
        else:
            self._misbehave(request, fault)

    def _misbehave(self, request: Request, fault: Fault) -> None:
        time.sleep(fault.delay_s)
        answer = self._good_answer(request) if fault.stores else fault.body
        if fault.truncates:
            self._answer(200, answer[:-5], {}, length=len(answer))
        elif fault.status:
            self._answer(fault.status, answer, fault.headers)
        self.close_connection = fault.truncates or not fault.status

    def _good_answer(self, request: Request) -> bytes:
        for path, answer in (("/v1/keys", KEYS), ("/v1/tiers", TIERS), ("/v1/test/cards", CARDS)):
            if request.path.startswith(path):
                return json.dumps(answer).encode()
        return self.server.take(request)

    def _answer(self, status: int, body: bytes, headers: dict[str, str], *, length: int | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the name the base class gives it)
        """Nothing: the requests are kept instead."""


@contextmanager
def serving() -> Iterator[PosServer]:
    server = PosServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert server.errors == []

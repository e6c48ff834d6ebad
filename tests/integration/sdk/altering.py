"""A proxy in front of a server that alters its answers: what the conformance kit is to notice."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

KEPT = ("content-type", "request-id", "retry-after")


@dataclass
class Answer:
    """An answer on its way back."""

    path: str
    status: int
    headers: dict[str, str]
    body: bytes

    def change(self, alter: Callable[[Any], None]) -> None:
        """Alter the answer's JSON in its place."""
        content = json.loads(self.body)
        alter(content)
        self.body = json.dumps(content).encode()


Alter = Callable[[Answer], None]


class AlteringProxy(ThreadingHTTPServer):
    """Passes requests on to `target`, and its answers back after `alter`."""

    daemon_threads = True

    def __init__(self, target: str, alter: Alter) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.alter = alter
        self.client = httpx.Client(base_url=target, timeout=30)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: AlteringProxy
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._pass_on(b"")

    def do_POST(self) -> None:
        self._pass_on(self.rfile.read(int(self.headers["Content-Length"])))

    def _pass_on(self, content: bytes) -> None:
        headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
        response = self.server.client.request(self.command, self.path, content=content, headers=headers)
        kept = {name: value for name, value in response.headers.items() if name in KEPT}
        answer = Answer(self.path, response.status_code, kept, response.content)
        self.server.alter(answer)
        self.send_response(answer.status)
        for name, value in {**answer.headers, "Content-Length": str(len(answer.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the name the base class gives it)
        """Nothing."""


@contextmanager
def altering(target: str, alter: Alter) -> Iterator[str]:
    """The address of a proxy in front of `target`."""
    proxy = AlteringProxy(target, alter)
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield proxy.url
    finally:
        proxy.shutdown()
        proxy.server_close()
        proxy.client.close()
        thread.join()

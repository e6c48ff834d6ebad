"""A mail server that keeps what it gets, in a thread: enough of RFC 5321 for one sender."""

import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import cast


@dataclass(slots=True)
class Sink:
    """What came, by recipient. It answers `refuses` to each mail as long as that is set, after `pause_s`."""

    port: int = 0
    refuses: str = ""
    pause_s: float = 0.0
    came: list[tuple[str, bytes]] = field(default_factory=list)
    connections: int = 0

    def mails(self, to: str = "") -> list[EmailMessage]:
        """The mails, to one address or all."""
        found = [raw for recipient, raw in self.came if not to or recipient == to]
        return [message_from_bytes(raw, policy=policy.default) for raw in found]


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    sink: Sink


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        sink = cast("_Server", self.server).sink
        sink.connections += 1
        self._say("220 sink")
        to = ""
        while line := self.rfile.readline():
            word = line[:4].upper()
            if word in (b"EHLO", b"HELO"):
                self._say("250 sink")
            elif word == b"RCPT":
                to = line.decode().split("<")[1].split(">")[0]
                self._say(sink.refuses or "250 ok")
            elif word == b"DATA":
                self._say("354 go on")
                data = b"".join(iter(self.rfile.readline, b".\r\n"))
                time.sleep(sink.pause_s)
                sink.came.append((to, data))
                self._say("250 kept")
            elif word == b"QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 ok")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def mail_server() -> Iterator[Sink]:
    """A sink on a port of its own, while the block runs."""
    with _Server(("127.0.0.1", 0), _Session) as server:
        server.sink = Sink(port=server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.sink
        server.shutdown()

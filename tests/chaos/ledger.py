"""The outside recorder: what tills rang up and what was acknowledged to them, each line on the disk before it goes on.

It is a server of the harness, on a socket, so that neither a till's death nor its full disk takes anything from it.
"""

import json
import os
import socket
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Note = dict[str, Any]


class Recorder:
    """Keeps one line a note in `path`, until the process ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.address = path.with_suffix(".socket")
        self._file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        self._lock = threading.Lock()
        recorder = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                for line in self.rfile:
                    if line.endswith(b"\n"):  # else its sender died in the middle of it
                        recorder.keep(line)
                        self.wfile.write(b"\n")

        class Server(socketserver.ThreadingUnixStreamServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, request: Any, client_address: Any) -> None:
                """Whoever wrote is dead: what it wrote is kept."""

        server = Server(str(self.address), Handler)
        threading.Thread(target=server.serve_forever, name="recorder", daemon=True).start()

    def keep(self, line: bytes) -> None:
        """One line, durable when this returns."""
        with self._lock:
            os.write(self._file, line)
            os.fdatasync(self._file)

    def notes(self) -> Iterator[Note]:
        """All that was kept, in order."""
        with self.path.open("rb") as file:
            yield from map(json.loads, file)


class Pen:
    """One thread's way to the recorder."""

    def __init__(self, address: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(address))
        self._answers = self._socket.makefile("rb")

    def note(self, what: str, terminal: str, **fields: object) -> None:
        """Keep a note; durable when this returns. Raises OSError when the recorder is gone."""
        self._socket.sendall(json.dumps({"what": what, "terminal": terminal, **fields}).encode() + b"\n")
        if not self._answers.readline():
            raise ConnectionError("the recorder is gone")

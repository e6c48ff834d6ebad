"""A load: prepared requests over kept connections, as fast as they go or at a steady rate."""

import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

Lane = Sequence[bytes]  # requests that must come one after another


@dataclass(slots=True)
class Sent:
    """What a load took: seconds of the wall's clock, and of each request from when it was due."""

    seconds: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def percentile_ms(self, percent: float) -> float:
        """A percentile of the latencies, in ms."""
        ordered = sorted(self.latencies_s)
        return round(ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] * 1000, 1)


def request_bytes(path: str, key: str, body: bytes) -> bytes:
    """A whole POST as it goes over the wire."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def send(port: int, lanes: Sequence[Lane], *, per_s: float = 0) -> Sent:
    """Send each lane's requests over a connection of its own; at `per_s` requests a second, or as fast as they go.

    At a rate a request is due at its time, and its latency counts from then, whether or not the one before it is done.
    """
    sent, gap_s = Sent(), len(lanes) / per_s if per_s else 0.0
    drives = [_Drive(port, lane, gap_s, index / per_s if per_s else 0.0) for index, lane in enumerate(lanes)]
    barrier = threading.Barrier(len(lanes) + 1)
    threads = [threading.Thread(target=_drive, args=(drive, sent, barrier)) for drive in drives]
    for thread in threads:
        thread.start()
    barrier.wait()
    started_s = time.perf_counter()
    for thread in threads:
        thread.join()
    sent.seconds = time.perf_counter() - started_s
    return sent


@dataclass(frozen=True, slots=True)
class _Drive:
    """A lane's requests and when they are due: the first after `offset_s`, each `gap_s` after the one before."""

    port: int
    lane: Lane
    gap_s: float
    offset_s: float


def _drive(drive: _Drive, sent: Sent, barrier: threading.Barrier) -> None:
    with socket.create_connection(("127.0.0.1", drive.port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        barrier.wait()
        try:
            _ask(drive, sent, connection)
        except OSError as error:
            sent.wrong.append(f"{type(error).__name__} {error}")


def _ask(drive: _Drive, sent: Sent, connection: socket.socket) -> None:
    due_s = time.perf_counter() + drive.offset_s
    for request in drive.lane:
        now_s = time.perf_counter()
        if drive.gap_s and due_s > now_s:
            time.sleep(due_s - now_s)
        begun_s = due_s if drive.gap_s else now_s
        connection.sendall(request)
        status, body = _answer(connection)
        sent.latencies_s.append(time.perf_counter() - begun_s)
        due_s += drive.gap_s
        if status != b"200" or (b'"rejected":0' not in body.replace(b" ", b"") and b"accepted" in body):
            sent.wrong.append(f"{status!r} {body[:300]!r}")


def _answer(connection: socket.socket) -> tuple[bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        data += _received(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(int(row[15:]) for row in head.lower().split(b"\r\n") if row.startswith(b"content-length:"))
    while len(body) < length:
        body += _received(connection)
    return head.split(b" ", 2)[1], body


def _received(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ConnectionResetError("the server closed the connection")
    return data

"""A small TCP proxy: a fixed port before servers that come and go, which cuts answers off when it is told to."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

CHUNK_BYTES: Final = 65_536
COMMIT: Final = b"COMMIT"


@dataclass(slots=True)
class Line:
    """One listening port. `upstreams` gives the ports to try, the best first; none answers: the caller is cut off.

    `cut` so many answers are swallowed from now on, with their connection: the server has done what it was asked for,
    who asked does not hear of it. With `after`, only answers to requests that have it in them. `closed`: nobody gets
    through.
    """

    upstreams: Callable[[], list[int]]
    after: bytes = b""
    port: int = 0
    cut: int = 0
    closed: bool = False
    done: Counter[str] = field(default_factory=Counter)

    async def serve(self) -> None:
        """Listen on a free port of the loopback interface."""
        server = await asyncio.start_server(self._meet, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = None if self.closed else await self._connect()
        if upstream is None:
            writer.close()
            return
        armed = asyncio.Event()
        back, forth = upstream
        ways = {
            asyncio.ensure_future(self._pass(reader, forth, lambda data: self._sent(data, armed))),
            asyncio.ensure_future(self._pass(back, writer, lambda data: not self._swallows(armed))),
        }
        _, running = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in running:
            way.cancel()
        for end in (writer, forth):
            end.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        for port in self.upstreams():
            try:
                return await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                continue
        return None

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lets: Callable[[bytes], bool]
    ) -> None:
        """Hand on what comes until either side ends, or `lets` says no."""
        try:
            while (data := await reader.read(CHUNK_BYTES)) and lets(data) and not self.closed:
                writer.write(data)
                await writer.drain()
        except OSError:
            return

    def _sent(self, data: bytes, armed: asyncio.Event) -> bool:
        if self.cut > 0 and self.after in data:
            armed.set()
        return True

    def _swallows(self, armed: asyncio.Event) -> bool:
        if not (armed.is_set() and self.cut > 0):
            return False
        self.cut -= 1
        self.done["cut"] += 1
        return True


def start(lines: list[Line]) -> None:
    """Serve all these lines in a thread of their own; returns when they have their ports."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="proxy", daemon=True).start()
    for line in lines:
        asyncio.run_coroutine_threadsafe(line.serve(), loop).result(timeout=10)

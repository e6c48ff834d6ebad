"""Preparing rows in processes of their own: in order, with few chunks under way, so that memory stays flat. Pure.

Nothing here knows Django or the database: the processes start fresh and are given the keys, nothing else.
"""

import gc
import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing.connection import wait
from typing import Final

import msgspec

from apps.kernel.errors import KanpuError
from apps.residents.register.prepared import Outcome, Reading, Record, prepare

CHUNK: Final = 4_000
UNDER_WAY: Final = 2  # chunks a process
_given: list[Reading] = []  # in a pool's process: its one reading
_decoder: Final = msgspec.msgpack.Decoder(Outcome)


class ImportInterrupted(KanpuError):
    """A process that prepares rows was killed."""

    code = "import_interrupted"


def prepared_chunks(
    reading: Reading, records: Iterable[Record], ahead: Callable[[], bool], *, processes: int
) -> Iterator[Outcome]:
    """Outcomes of the records, chunk by chunk in order; with no processes, in this one.

    `ahead` is asked for each chunk whether to seal its rows before it is known whose they are: worth it while most
    residents are new. Raises ImportInterrupted.
    """
    records = iter(records)
    chunks = iter(lambda: list(islice(records, CHUNK)), [])
    if not processes:
        yield from (prepare(reading, chunk, ahead=ahead()) for chunk in chunks)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_start, initargs=(reading,)) as pool:
        waiting: deque[Future[bytes]] = deque()
        try:
            for chunk in chunks:
                waiting.append(pool.submit(_prepare, chunk, ahead()))
                if len(waiting) > processes * UNDER_WAY:
                    yield _decoder.decode(waiting.popleft().result())
            while waiting:
                yield _decoder.decode(waiting.popleft().result())
        except BrokenProcessPool as error:
            raise ImportInterrupted("A process that prepares rows was killed. Run the import again.") from error
        finally:
            pool.shutdown(cancel_futures=True)


def _start(reading: Reading) -> None:
    """Keep what is given, and end with the process that asked: a killed one leaves nobody behind."""
    _given[:] = [reading]
    gc.disable()  # nothing here has cycles, and looking for some takes a tenth of the time
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


def _prepare(records: list[Record], ahead: bool) -> bytes:
    return msgspec.msgpack.encode(prepare(_given[0], records, ahead=ahead))

"""Work in processes of their own, so that each kind's CPU seconds and memory are told apart."""

import multiprocessing
import os
import resource
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Final

from apps.kernel.errors import KanpuError

CONTEXT: Final = multiprocessing.get_context("spawn")
POLL_S: Final = 0.2


class Failed(KanpuError):
    """The work of another process ended with an error, which the message has."""

    code = "bench_failed"


@dataclass(frozen=True, slots=True)
class Done:
    """What a piece of work gave, and what it took."""

    result: Any
    wall_s: float
    cpu_s: float
    peak_mb: int


@dataclass(slots=True)
class Helper:
    """A process that does what it is told, one thing after another: `module:function` of modules that need Django."""

    process: BaseProcess
    pipe: Connection

    def tell(self, place: str, *arguments: object) -> None:
        """Begin `place` with these arguments."""
        self.pipe.send((place, arguments))

    def done(self, seen: Callable[[Any], None] = lambda _: None, idle: Callable[[], None] = lambda: None) -> Done:
        """Wait for the result. `seen` gets what the work reports on its way; `idle` is called while nothing comes.

        Raises Failed.
        """
        while True:
            if not self.pipe.poll(POLL_S):
                if not self.process.is_alive():
                    raise Failed(f"A process of the bench died with status {self.process.exitcode}.")
                idle()
                continue
            kind, content = self.pipe.recv()
            if kind == "done":
                return Done(*content)
            if kind == "failed":
                raise Failed(content)
            seen(content)

    def end(self) -> None:
        """Let the process end."""
        self.pipe.close()
        self.process.join(10)
        if self.process.is_alive():
            self.process.kill()


def helper(name: str) -> Helper:
    """A new process on this one's database."""
    ours, theirs = CONTEXT.Pipe()
    process = CONTEXT.Process(target=_serve, args=(theirs,), name=name, daemon=True)
    process.start()
    theirs.close()
    return Helper(process, ours)


def _serve(pipe: Connection) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # DuckDB draws bars of its own there
    import django  # noqa: PLC0415 - the database's address is in the environment

    django.setup()
    from config.celery import app  # noqa: PLC0415

    app.set_default()  # or bells would ring nowhere
    while True:
        try:
            place, arguments = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(("done", _measured(place, arguments, lambda report: pipe.send(("seen", report)))))
        except Exception as error:  # told to whoever asked, with its name
            traceback.print_exc()
            pipe.send(("failed", f"{place}: {type(error).__name__}: {error}"))


def _measured(place: str, arguments: tuple[object, ...], seen: Callable[[object], None]) -> tuple[object, ...]:
    from django.utils.module_loading import import_string  # noqa: PLC0415

    work = import_string(place)
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    result = work(*arguments, seen=seen)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return result, time.perf_counter() - wall_s, time.process_time() - cpu_s, peak_mb

"""What processes cost, from /proc: CPU seconds and memory. None where there is no /proc, or the server is elsewhere."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

PROC: Final = Path("/proc")
TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


class Cost(NamedTuple):
    """CPU seconds so far, and the largest memory that one of the processes ever had, in MB."""

    cpu_s: float
    peak_mb: int


def of_family(pid: int) -> Cost:
    """All processes of the group that `pid` leads, the children that ended included."""
    return _cost([one for one in _processes() if _is_of(one, pid)], peak="VmHWM")


def of_postgres(backend: int) -> Cost | None:
    """The server that a backend belongs to; memory is a backend's own at the moment, without the shared buffers.

    None when the server is not on this machine.
    """
    try:
        if (PROC / str(backend) / "comm").read_text().strip() != "postgres":
            return None
        server = int(_stat(backend)[1])
    except OSError:
        return None
    return _cost([server, *(one for one in _processes() if _parent_is(one, server))], peak="RssAnon")


def _cost(pids: Iterable[int], *, peak: str) -> Cost:
    cpu, peaks = 0.0, [0]
    for pid in pids:
        try:
            # utime, stime, and those of children that ended: fields 14 to 17 of proc(5), counted from state.
            cpu += sum(map(int, _stat(pid)[11:15])) / TICKS_PER_S
            peaks.append(_memory_mb(pid, peak))
        except OSError:  # it ended while we looked
            continue
    return Cost(cpu, max(peaks))


def _processes() -> Iterator[int]:
    return (int(folder.name) for folder in PROC.iterdir() if folder.name.isdigit())


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on: the name before may have spaces."""
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def _memory_mb(pid: int, name: str) -> int:
    for row in (PROC / str(pid) / "status").read_text().splitlines():
        if row.startswith(name):
            return int(row.split()[1]) // 1024
    return 0


def _is_of(pid: int, family: int) -> bool:
    try:
        return os.getpgid(pid) == family
    except ProcessLookupError:
        return False


def _parent_is(pid: int, parent: int) -> bool:
    try:
        return int(_stat(pid)[1]) == parent
    except OSError:
        return False

"""How much memory servers took."""

import os
from pathlib import Path

from apps.simulator.processes import Processes


def peak_mb(processes: Processes, name: str) -> int:
    """The largest resident set that any process of a server's family ever had, in MB."""
    family = os.getpgid(processes.running[name].pid)
    members = (folder for folder in Path("/proc").iterdir() if folder.name.isdigit())
    return round(max(_peak_kb(member) for member in members if _is_of(int(member.name), family)) / 1024)


def _peak_kb(process: Path) -> int:
    try:
        rows = (process / "status").read_text().splitlines()
    except OSError:  # it has ended
        return 0
    return next((int(row.split()[1]) for row in rows if row.startswith("VmHWM")), 0)


def _is_of(pid: int, family: int) -> bool:
    try:
        return os.getpgid(pid) == family
    except ProcessLookupError:
        return False

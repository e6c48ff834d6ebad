"""How fast a municipality's register is read, and in how much memory: a file of made-up people, once and once again."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.core.management import call_command

from apps.simulator.register import write_register

MUNICIPALITY = "131121"


def measure(folder: Path, *, rows: int, said: Callable[[str], None]) -> dict[str, int | float]:
    """Rows a second and the greatest memory of the command's processes in MB, each run a command of its own."""
    call_command("make_keys", out=folder / "keyring.json", stdout=sys.stderr)
    file = folder / "register.csv"
    said(f"making up {rows:,} people")
    write_register(file, residents=rows)
    found: dict[str, int | float] = {"rows": rows}
    for name in ("first", "again"):
        elapsed_s, peak_mb = _timed_import(folder, file)
        found |= {f"{name}_s": round(elapsed_s, 1), f"{name}_rows_per_s": round(rows / elapsed_s)}
        found[f"{name}_peak_mb_a_process"] = peak_mb
        said(f"{name}: {rows / elapsed_s:,.0f} rows/s in {elapsed_s:.0f} s, at most {peak_mb:,} MB a process")
    return found


def _timed_import(folder: Path, file: Path) -> tuple[float, int]:
    command = [sys.executable, "manage.py", "import_residents", str(file), "--municipality", MUNICIPALITY]
    environment = {**os.environ, "KANPU_VAULT_KEYS": str(folder / "vault.json")}
    started_s = time.perf_counter()
    subprocess.run([*command, "--as-of", "2017-01-01"], cwd=settings.BASE_DIR, env=environment, check=True)
    elapsed_s = time.perf_counter() - started_s
    return elapsed_s, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024

"""Packs made in tests, and the checker as an auditor runs it: another process that can import nothing but it."""

import os
import subprocess
import sys
from pathlib import Path
from uuid import UUID

from django.conf import settings

from apps.audit.access import Access
from apps.inspections.operations.packing import make_case_pack, make_refund_pack, make_run_pack

ACCESS = Access("user:ann", "auditor", "tax office", "check", "17")


def run_pack(path: Path, year: int = 2017, number: int = 1) -> Path:
    with path.open("w+b") as file:
        make_run_pack(year, number, file, actor="user:ann")
    return path


def refund_pack(path: Path, ref: UUID, year: int = 2017, number: int = 1) -> Path:
    with path.open("w+b") as file:
        make_refund_pack(ref, year, number, file, access=ACCESS, opens_protected=False)
    return path


def case_pack(path: Path, case_id: int) -> Path:
    with path.open("w+b") as file:
        make_case_pack(case_id, file, access=ACCESS, opens_protected=False)
    return path


def verified(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m kanpu_verify` without any installed package (-S), in a folder with nothing in it."""
    return subprocess.run(
        [sys.executable, "-S", "-m", "kanpu_verify", str(path), "--lang", "en", *arguments],
        cwd=path.parent,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(settings.BASE_DIR) / "sdk"), "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

"""Exports: whether a million rows take no more memory than a tenth of them, in each format."""

import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from django.db import connection
from django.utils import timezone

from apps.audit.access import Access
from apps.audit.officers import Role
from apps.inspections.export_files import TABLES
from apps.inspections.models import Export
from apps.inspections.operations.exporting import write_export
from apps.inspections.searching import PurchaseSearch, as_json
from bench.entries import YEAR
from bench.find import fill

TENTH: Final = datetime(YEAR, 1, 1, tzinfo=UTC) + timedelta(days=36.5)
KIB_OF_A_MIB: Final = 1024


def measure(*, entries: int, said: Callable[[str], None]) -> Iterator[str]:
    """The most memory that a process of its own took for an export, a tenth of the rows and all, and how long."""
    fill(entries, said)
    for file_format in TABLES:
        for before in (TENTH, None):
            connection.close()
            records, most_kib, took_s = _in_a_process(file_format, before)
            yield f"{file_format:<8}{records:>12,} records {most_kib // KIB_OF_A_MIB:>6} MiB at most {took_s:>7.1f} s"


def _in_a_process(file_format: str, before: datetime | None) -> tuple[int, int, float]:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        with os.fdopen(writing, "w") as out:
            out.write(_export(file_format, before))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        words = told.read().split()
    os.waitpid(pid, 0)
    if not words:
        sys.exit(f"The export as {file_format} failed.")
    return int(words[0]), int(words[1]), float(words[2])


def _export(file_format: str, before: datetime | None) -> str:
    access = Access("bench", Role.AUDITOR, "Bench", "check")
    begun_s = time.perf_counter()
    export = Export.objects.create(
        kind="purchases", filters=as_json(PurchaseSearch(year=YEAR, before=before)), format=file_format,
        actor=access.actor, role=access.role, office=access.office, purpose=access.purpose,
        requested_at=timezone.now(),
    )  # fmt: skip
    assert write_export(export), export.state
    most_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return f"{export.records} {most_kib} {time.perf_counter() - begun_s}"

"""Taking a small year through its run, and what tests ask of it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID

from django.conf import settings as django_settings

from apps.accruals.operations.counting import count_all
from apps.refunds.models import Refund, Run
from apps.refunds.operations.approving import (
    approve_run,
)
from apps.refunds.operations.assessing import assess_run
from apps.refunds.operations.freezing import freeze
from apps.refunds.operations.verifying import verify_run
from tests.till import RawTill, send

YEAR = 2017


class Died(BaseException):
    """What a process does not survive."""


def dying(module: Any, name: str, *, times: int, after: bool) -> Any:
    """So many calls of a function, and the process dies before the last of them or after it."""
    real, calls = getattr(module, name), [0]

    def call(*args: Any, **options: Any) -> Any:
        calls[0] += 1
        if calls[0] == times and not after:
            raise Died
        answer = real(*args, **options)
        if calls[0] == times:
            raise Died
        return answer

    return patch.object(module, name, call)


def count(till: RawTill, *records: dict[str, Any]) -> None:
    assert send(till, *records) == []
    count_all()


def to_verified() -> Run:
    freeze(YEAR, actor="test")
    assess_run(YEAR, actor="test")
    return verify_run(YEAR, actor="test")


def to_approved() -> Run:
    to_verified()
    approve_run(YEAR, by="ann", actor="test")
    return approve_run(YEAR, by="ben", actor="test")


def dues(run: int) -> dict[UUID, tuple[int, int, int]]:
    rows = Refund.objects.filter(run=run).values_list("resident_ref", "entitled_minor", "earlier_minor", "due_minor")
    return {ref: (entitled, earlier, due) for ref, entitled, earlier, due in rows}


def checked(statement: object, folder: Path) -> int:
    """The exit status of the residents' own check."""
    path = folder / "statement.json"
    path.write_text(json.dumps(statement))
    done = subprocess.run(
        [sys.executable, "-m", "kanpu_verify", str(path)],
        cwd=Path(django_settings.BASE_DIR) / "sdk",
        env={"PATH": ""},
        capture_output=True,
        check=False,
    )
    return done.returncode

"""A run that is being paid, at nine in the morning of a banking day."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from apps.refunds.models import Run
from tests import payouts
from tests.world import World, auditor


@dataclass(slots=True)
class Clock:
    """What time it is."""

    at: datetime


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    settings.KANPU_PAYOUTS = tmp_path / "payouts"
    return tmp_path / "payouts"


@pytest.fixture
def clock(world: World, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """It stands at nine in the morning; nobody has been paid yet."""
    clock = Clock(payouts.MORNING)
    monkeypatch.setattr(timezone, "now", lambda: clock.at)
    for officer in ("ann", "ben"):
        auditor(officer)
    payouts.bank()
    return clock


@pytest.fixture
def run(world: World, clock: Clock) -> Run:
    """Two residents with accounts get 4,000 and 1."""
    one, two = world.residents
    for ref in world.residents:
        payouts.known(ref)
    return payouts.paying_run({one: 4_000, two: 1})

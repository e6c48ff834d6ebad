"""A run that is being paid, at nine in the morning of a banking day."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from apps.payouts.operations import owing
from apps.refunds.models import Run
from apps.simulator.stripe_ledger import Rule
from tests import at_stripe, payouts
from tests.at_stripe import Stripe
from tests.world import World, auditor

SURE = Rule(fail=0, come_back=0)


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


@pytest.fixture
def stripe(clock: Clock, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stripe]:
    """A Stripe at which every payout is paid, with our clock. Its library does not wait before it tries again."""
    monkeypatch.setattr("stripe._http_client.HTTPClient.INITIAL_DELAY", 0.01)
    monkeypatch.setattr("stripe._http_client.HTTPClient.MAX_DELAY", 0.01)
    with at_stripe.running(tmp_path / "stripe", SURE, clock) as found:
        settings.KANPU_STRIPE_KEY, settings.KANPU_STRIPE_URL = at_stripe.KEY, found.url
        settings.KANPU_STRIPE_WEBHOOK_SECRET = at_stripe.SECRET
        yield found


def least(amount_minor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scheme pays nothing below an amount."""

    class Scheme:
        class refund:  # noqa: N801
            minimum_payout = amount_minor

    monkeypatch.setattr(owing, "scheme_of", lambda _version: Scheme)

"""A webhook goes the whole way: Stripe, web server, Redis, a worker, and back to Stripe, which is asked."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from apps.payouts.models import Attempt, StripeEvent, StripePayment
from apps.payouts.queries.reconciling import reckoning
from apps.refunds.models import Run
from apps.simulator.processes import Processes, free_port, stripe_command, stripe_settings, web_command, worker_command
from apps.simulator.stripe_ledger import Ledger, Rule
from tests import payouts
from tests.at_stripe import HOOK, sent
from tests.integration.payouts.conftest import Clock

pytestmark = pytest.mark.django_db(transaction=True)
WITHIN_S = 90
STATUS_S = 4  # seconds in each status: by then the answers to our calls are on record


def until(is_so: Callable[[], bool], processes: Processes) -> bool:
    """Wait until it is so; whether it came to that."""
    end_s = time.monotonic() + WITHIN_S
    while time.monotonic() < end_s:
        processes.check()
        if is_so():
            return True
        time.sleep(0.2)
    return False


@pytest.fixture
def at_work(
    processes: Processes, clock: Clock, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> Processes:
    """Stripe, a web server that hears its webhooks, and a worker; no clock that asks by itself."""
    port, web = free_port(), free_port()
    for name, value in stripe_settings(port).items():
        monkeypatch.setenv(name, value)
        setattr(settings, name, value)
    options = ["--fail", "0", "--come-back", "0", "--pace", f"{STATUS_S}", "--hook", f"http://127.0.0.1:{web}{HOOK}"]
    processes.start("stripe", stripe_command(tmp_path / "own", port, seed=1, options=options), with_keys=False)
    processes.start("web", web_command(web), with_keys=False)
    processes.start("worker", worker_command(), with_keys=True)
    processes.wait_for(f"http://127.0.0.1:{web}/v1/keys")
    processes.wait_for(settings.KANPU_STRIPE_URL)
    return processes


def test_what_a_webhook_tells_a_worker_asks_after_at_once(
    run: Run, clock: Clock, at_work: Processes, tmp_path: Path
) -> None:
    clock.at = datetime.now(UTC)  # as it is for the processes
    sent()
    assert payouts.attempts() == ["sent", "sent"]
    soon = clock.at + timedelta(minutes=50)  # without a webhook each is asked after in an hour
    assert StripePayment.objects.filter(step="ask", next_at__gt=soon).count() == 2

    assert until(lambda: payouts.attempts() == ["paid", "paid"], at_work), StripeEvent.objects.values()
    assert reckoning(run).is_done
    assert StripeEvent.objects.filter(kind="payout.paid", taken_at__isnull=False).count() == 2
    assert set(Attempt.objects.values_list("events__actor", flat=True)) >= {"clock"}
    at_work.stop()
    ledger = Ledger(tmp_path / "own" / "stripe.sqlite3", Rule())
    kept = list(Attempt.objects.order_by("reference").values_list("reference", "amount_minor"))
    assert (ledger.kept_by_payees(), ledger.stray_minor()) == (kept, 0)

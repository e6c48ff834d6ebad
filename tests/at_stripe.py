"""A simulated Stripe in tests: behind HTTP, with books of its own, for which time goes by when it is told."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Protocol

import stripe
from django.test import Client

from apps.payouts.models import Attempt, Batch, Obligation
from apps.payouts.operations.batches import make_batch, submit_batch
from apps.payouts.operations.owing import make_obligations
from apps.payouts.operations.stripe_payments import follow_payments
from apps.payouts.queries.reconciling import reckoning
from apps.refunds.models import Run
from apps.simulator.stripe_api import Api, server_of
from apps.simulator.stripe_ledger import Ledger, Rule
from tests import payouts
from tests.world import YEAR

KEY = "sk_test_kanpu"
SECRET = "whsec_kanpu"
HOOK = "/payouts/stripe/webhook"
LATER = timedelta(hours=2)


class Clock(Protocol):
    """What time it is."""

    at: datetime


@dataclass(slots=True)
class Stripe:
    """The simulated one."""

    api: Api
    server: ThreadingHTTPServer

    @property
    def url(self) -> str:
        """Its base address."""
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def ledger(self) -> Ledger:
        """Its books."""
        return self.api.ledger

    def order(self, path: str, *faults: str) -> None:
        """The next requests whose path ends so have these faults."""
        self.api.ordered.extend([path, fault] for fault in faults)

    def pass_time(self) -> None:
        """All payouts come to their next status."""
        self.ledger.books.execute("UPDATE payout SET next_at = 0 WHERE next_at IS NOT NULL")
        self.ledger.go_on()

    def count(self, kind: str) -> int:
        """How many accounts, transfers, payouts or reversals there are."""
        return len(self.ledger.rows(f"SELECT 1 FROM {kind}"))

    def events(self) -> list[str]:
        """All events so far as they are sent, in order."""
        return [row["body"] for row in self.ledger.rows("SELECT body FROM event ORDER BY seq")]


@contextmanager
def running(folder: Path, rule: Rule, clock: Clock) -> Iterator[Stripe]:
    """A simulated Stripe on a port of its own, whose clock is the test's."""

    def now() -> float:
        return clock.at.timestamp()

    api = Api(Ledger(folder / "stripe.sqlite3", rule, hooks=False, now=now), KEY)
    api.ledger.books.execute("PRAGMA synchronous = OFF")  # it is in this process: who dies with it dies with its books
    found = Stripe(api, server_of(api, 0))
    thread = threading.Thread(target=found.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.server.shutdown()
        found.server.server_close()


def draft(number: int = 1) -> Batch:
    """A batch for Stripe of what a run owes."""
    make_obligations(YEAR, number=number, actor="test")
    batch = make_batch(YEAR, number=number, rail="stripe", actor="test")
    assert batch
    return batch


def sent(number: int = 1) -> Batch:
    """A batch that was approved and handed to Stripe, as far as it went."""
    return submit_batch(payouts.approved(draft(number)).pk, actor="test")[0]


def followed(clock: Clock, stripe: Stripe, *, times: int = 2) -> None:
    """Payouts come to their next statuses, and are asked after each time."""
    for _ in range(times):
        stripe.pass_time()
        clock.at += LATER
        follow_payments(actor="test")


def whole(stripe: Stripe, run: Run) -> None:
    """Every obligation is paid once: Stripe's books, attempts, obligations and settlements say the same."""
    attempts = Attempt.objects.filter(obligation__run=run.number)
    paid = list(attempts.filter(state="paid").order_by("reference").values_list("reference", "amount_minor"))
    mine = set(attempts.values_list("reference", flat=True))
    assert paid == [one for one in stripe.ledger.kept_by_payees() if one[0] in mine]
    assert len(paid) == Obligation.objects.filter(run=run.number).count()
    assert sum(amount for _, amount in paid) == run.due_minor
    assert stripe.ledger.stray_minor() == 0
    assert reckoning(run).is_done


def told(client: Client, body: str, *, secret: str = SECRET) -> int:
    """Send a webhook as Stripe does. Returns the status."""
    signature = stripe.WebhookSignature.generate_signature_header(body, secret)
    return client.post(
        HOOK, body.encode(), content_type="application/json", headers={"stripe-signature": signature}
    ).status_code

"""Whatever dies, is silent, lies or comes twice: Stripe pays every obligation once, and all books agree."""

import random
import threading
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.payouts.models import Batch, Obligation, StripeAccount, StripeCall, StripePayment
from apps.payouts.operations import batches, stripe_calls, stripe_payments, writing
from apps.payouts.operations.batches import approve_batch, make_batch, submit_batch
from apps.payouts.operations.closing import close_paid_run
from apps.payouts.operations.owing import make_obligations
from apps.payouts.operations.reissuing import reissue
from apps.payouts.operations.stripe_payments import follow_payments
from apps.payouts.queries.reconciling import failed_of, reckoning
from apps.refunds.models import Run
from apps.residents.operations import register_residents
from apps.residents.operations.first_accounts import name_first_accounts
from apps.residents.vault.contents import Account
from apps.simulator.processes import Processes, free_port, stripe_command, stripe_settings
from apps.simulator.stripe_ledger import Ledger, Rule
from tests import payouts
from tests.at_stripe import Stripe, draft, told, whole
from tests.integration.payouts.conftest import Clock
from tests.vault import enter
from tests.world import YEAR, World
from tests.year_end import Died

pytestmark = pytest.mark.django_db(transaction=True)
PAYEES = 25
A_BATCH = 10
# Where a process may die: before or after it called this.
POINTS: list[tuple[Any, str]] = [
    (batches, "claim_due"), (writing, "write_draft"), (batches, "begin_payments"), (batches, "move_batch"),
    (stripe_calls, "keep_keys"), (stripe_payments, "take_turns"), (stripe_payments, "keep_answers"),
    (stripe_payments, "take_words"), (stripe_payments, "settle"), (stripe_payments, "_wake"),
    (stripe_payments, "close_sent"),
]  # fmt: skip
STEPS = ("pay", "pay", "follow", "follow", "hear", "time", "reissue")


def many(count: int) -> list[UUID]:
    """So many residents, each with an account."""
    refs = [one.ref for one in register_residents([date(YEAR, 1, 1)] * count, at=payouts.NAMED, actor="test")]
    for ref in refs:
        enter(ref)
    accounts = {ref: Account("0001", "004", "1", f"{n:07}", "ヤマダ タロウ") for n, ref in enumerate(refs, start=1)}
    name_first_accounts(accounts, channel="portal", at=payouts.NAMED, actor="test")
    return refs


class Play:
    """A run that is paid through a Stripe with faults."""

    def __init__(self, run: Run, stripe: Stripe, clock: Clock, seed: int) -> None:
        self.run, self.stripe, self.clock, self.drawn = run, stripe, clock, random.Random(seed)
        self.client = Client()
        self.heard = len(stripe.events())

    def do(self, step: str) -> None:
        """One step, in which the process may die."""
        module, name = self.drawn.choice(POINTS)
        real, left = getattr(module, name), [self.drawn.randrange(1, 4)]
        dies, after = self.drawn.random() < 0.4, self.drawn.random() < 0.5

        def call(*args: Any, **options: Any) -> Any:
            left[0] -= 1
            if dies and left[0] == 0 and not after:
                raise Died
            answer = real(*args, **options)
            if dies and left[0] == 0:
                raise Died
            return answer

        with patch.object(module, name, call), suppress(Died):
            getattr(self, step)()
        connection.close()  # what a dead process had not committed is undone

    def pay(self) -> None:
        make_obligations(YEAR, number=self.run.number, actor="test")
        while make_batch(YEAR, number=self.run.number, rail="stripe", actor="test"):
            pass
        mine = Batch.objects.filter(run=self.run.number).order_by("pk")
        for batch in mine.filter(state="draft"):
            for name in ("ann", "ben"):
                if name != batch.approved_1_by:
                    approve_batch(batch.pk, by=name, sha256=batch.sha256, actor="test")
        for batch in mine.filter(state__in=("approved", "submitted")):
            submit_batch(batch.pk, actor="test")

    def follow(self) -> None:
        follow_payments(actor="test")

    def hear(self) -> None:
        """Webhooks late, in any order, some twice and some never."""
        bodies = self.stripe.events()[self.heard :]
        for body in self.drawn.choices(bodies, k=len(bodies)):
            assert told(self.client, body) == 200

    def time(self) -> None:
        self.stripe.pass_time()
        self.clock.at += self.drawn.choice([timedelta(seconds=10), timedelta(minutes=2), timedelta(hours=25)])

    def reissue(self) -> None:
        reissue(failed_of(self.run), to_same_account=True, actor="test")

    def finish(self) -> None:
        """Without faults, until nothing moves any more."""
        self.stripe.api.faults = 0
        for _ in range(60):
            self.pay()
            self.stripe.pass_time()
            self.clock.at += timedelta(hours=25)
            self.follow()
            self.reissue()
            if reckoning(self.run).is_done and not self.stripe.ledger.rows("SELECT 1 FROM payout WHERE next_at >= 0"):
                return
        raise AssertionError(reckoning(self.run))


@given(seed=st.integers(0, 2**32))
@settings(
    max_examples=2, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
def test_many_refunds_are_paid_once_whatever_happens(world: World, stripe: Stripe, clock: Clock, *, seed: int) -> None:
    refs = list(Obligation.objects.filter(run=1).values_list("resident_ref", flat=True)) or many(PAYEES)
    Run.objects.update(state="closed")
    StripePayment.objects.update(step="over")
    StripeAccount.objects.all().delete()  # each time they are made
    StripeCall.objects.filter(step="account").delete()
    number = Run.objects.count() + 1
    stripe.ledger.rule = Rule(seed, fail=150, come_back=150)
    clock.at += timedelta(days=20)
    dues = {ref: amount for amount, ref in enumerate(refs, start=1)}
    play = Play(payouts.paying_run(dues, number=number), stripe, clock, seed)
    stripe.api.faults = 100
    stripe.api.rng.seed(seed)
    with patch.object(batches, "MOST_AT_STRIPE", A_BATCH), patch.object(stripe_payments, "AT_ONCE", 10):
        for _ in range(14):
            play.do(play.drawn.choice(STEPS))
        play.finish()
    whole(stripe, play.run)
    assert close_paid_run(YEAR, number=number, actor="test").state == "closed"


def test_a_stripe_that_is_killed_and_comes_back_pays_once(
    clock: Clock, processes: Processes, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    for name, value in stripe_settings(port).items():
        monkeypatch.setenv(name, value)
        setattr(settings, name, value)
    command = stripe_command(tmp_path / "own", port, seed=1, options=["--fail", "0", "--come-back", "0", "--pace", "0"])

    def start() -> None:
        processes.start("stripe", command, with_keys=False)
        processes.wait_for(settings.KANPU_STRIPE_URL)

    def strike() -> None:
        processes.kill("stripe")
        start()

    run = payouts.paying_run(dict.fromkeys(many(A_BATCH), 30))
    batch = payouts.approved(draft())
    start()
    killer = threading.Timer(0.3, strike)
    killer.start()
    for _ in range(10):
        submit_batch(batch.pk, actor="test")
        clock.at = timezone.now() + timedelta(minutes=2)
        killer.join()
        if Batch.objects.get().state == "sent":
            break
    for _ in range(20):
        follow_payments(actor="test")
        clock.at += timedelta(hours=2)
        if reckoning(run).is_done:
            break
    processes.stop()
    ledger = Ledger(tmp_path / "own" / "stripe.sqlite3", Rule())
    assert (len(ledger.kept_by_payees()), ledger.stray_minor()) == (A_BATCH, 0)
    assert reckoning(run).is_done

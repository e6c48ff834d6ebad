"""Each call to Stripe makes one thing: its key is on record before, whatever answers are lost or lie."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.db import IntegrityError, connection, transaction

from apps.payouts import tasks
from apps.payouts.models import (
    Batch,
    StripeAccount,
    StripeCall,
    StripePayment,
)
from apps.payouts.operations import stripe_calls, stripe_payments
from apps.payouts.operations.batches import submit_batch
from apps.payouts.stripe_connect import asking
from apps.refunds.models import Run
from apps.simulator.stripe_api import BUSY, FAILS, FAILS_AFTER, LIMIT, SILENT_AFTER
from tests import payouts
from tests.at_stripe import LATER, Stripe, draft, followed, sent, whole
from tests.integration.payouts.conftest import Clock
from tests.world import World
from tests.year_end import Died, dying

pytestmark = pytest.mark.django_db(transaction=True)


CALLS = ["/accounts", "/transfers", "/payouts"]
KINDS = ["account", "transfer", "payout"]


@dataclass(slots=True)
class Play:
    """Run after run is paid to the same residents, each from the beginning: their connected accounts are forgotten."""

    world: World
    stripe: Stripe
    clock: Clock
    runs: int = 1  # the first one is the fixture's

    def approved(self) -> tuple[Run, Batch]:
        Run.objects.filter(number=self.runs).update(state="closed")
        StripePayment.objects.update(step="over")
        StripeAccount.objects.all().delete()
        StripeCall.objects.filter(step="account").delete()
        self.clock.at += LATER
        self.runs += 1
        run = payouts.paying_run(dict(zip(self.world.residents, (4_000, 1), strict=True)), number=self.runs)
        return run, payouts.approved(draft(self.runs))

    def to_the_end(self, run: Run, batch: Batch) -> None:
        """Go on without faults, and look at it all: two accounts, transfers and payouts more, and no others."""
        for _ in range(30):
            submit_batch(batch.pk, actor="test")
            self.clock.at += LATER
            if Batch.objects.get(pk=batch.pk).state == "sent":
                break
        followed(self.clock, self.stripe)
        whole(self.stripe, run)
        assert [self.stripe.count(kind) for kind in KINDS] == [2 * (self.runs - 1)] * 3


@pytest.fixture
def play(run: Run, world: World, stripe: Stripe, clock: Clock) -> Play:
    return Play(world, stripe, clock)


def test_whatever_goes_wrong_with_calls_each_makes_one_thing(play: Play) -> None:
    for fault in (BUSY, LIMIT, FAILS, FAILS_AFTER, SILENT_AFTER):
        run, batch = play.approved()
        for path in CALLS:
            play.stripe.order(path, *[fault] * 6)  # more than the library tries again
        play.to_the_end(run, batch)


@pytest.mark.parametrize("made", [True, False])
def test_a_call_whose_key_stripe_forgot_is_looked_for_before_it_is_made_again(play: Play, made: bool) -> None:
    for path in CALLS:
        run, batch = play.approved()
        play.stripe.order(path, *[SILENT_AFTER if made else BUSY] * 6)
        submit_batch(batch.pk, actor="test")
        before = set(StripeCall.objects.filter(answer="").values_list("key", flat=True))
        assert len(before) == 2
        play.clock.at += timedelta(hours=25)
        play.to_the_end(run, batch)
        answers = set(StripeCall.objects.filter(key__in=before).values_list("answer", flat=True))
        assert answers == ({"made"} if made else {"nothing"})


def test_accounts_are_listed_once_for_all_that_are_looked_for(play: Play) -> None:
    run, batch = play.approved()
    play.stripe.order("/accounts", *[SILENT_AFTER] * 6)
    submit_batch(batch.pk, actor="test")
    play.clock.at += timedelta(hours=25)
    with patch.object(asking, "find_accounts", wraps=asking.find_accounts) as listed:
        play.to_the_end(run, batch)
    assert listed.call_count == 1


def test_a_second_key_needs_that_the_first_is_known_to_have_made_nothing(run: Run, stripe: Stripe) -> None:
    sent()
    call = StripeCall.objects.filter(step="transfer")[0]
    call.key, call.remote_id, call.answer = "00000000-0000-4000-8000-000000000000", "", ""
    with pytest.raises(IntegrityError, match="made_once_at_stripe"), transaction.atomic():
        call.save(force_insert=True)


POINTS: list[tuple[Any, str]] = [
    (stripe_calls, "keep_keys"), (stripe_payments, "take_turns"), (stripe_payments, "settle"),
]  # fmt: skip


@pytest.mark.parametrize("after", [False, True])
def test_who_dies_before_or_after_any_step_goes_on_to_one_payment(play: Play, after: bool) -> None:
    for module, name in POINTS:
        run, batch = play.approved()
        for times in (1, 1, 1) if after else (1, 2, 3):
            with dying(module, name, times=times, after=after), suppress(Died):
                submit_batch(batch.pk, actor="test")
            connection.close()  # what the process had not committed is undone
        play.to_the_end(run, batch)


def test_workers_go_on_with_a_batch_whose_sender_died(run: Run, stripe: Stripe, clock: Clock) -> None:
    stripe.order("/transfers", LIMIT, LIMIT, LIMIT, LIMIT)
    sent()
    assert Batch.objects.get().state == "submitted"
    for _ in range(6):
        stripe.pass_time()
        clock.at += LATER
        tasks.stripe()
    assert Batch.objects.get().state == "sent"
    whole(stripe, run)


def test_what_the_balance_does_not_suffice_for_is_paid_once_it_does(run: Run, stripe: Stripe, clock: Clock) -> None:
    stripe.ledger.books.execute("UPDATE platform SET balance = 100")
    sent()
    assert sorted(payouts.attempts()) == ["sent", "submitted"]
    stripe.ledger.books.execute("UPDATE platform SET balance = 10000")
    followed(clock, stripe, times=4)
    whole(stripe, run)

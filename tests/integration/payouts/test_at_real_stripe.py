"""The same at the simulated Stripe and, where KANPU_STRIPE_TEST_KEY is given, in the test mode of the real one."""

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from apps.payouts.models import Attempt, StripeAccount, StripeCall
from apps.payouts.operations.batches import submit_batch
from apps.payouts.operations.stripe_calls import stripe_client
from apps.payouts.operations.stripe_payments import follow_payments
from apps.payouts.stripe_connect import asking
from apps.payouts.stripe_connect.keys import STRIPE
from apps.refunds.models import Run
from apps.residents.vault.contents import Account
from tests import at_stripe, payouts
from tests.at_stripe import draft
from tests.integration.payouts.conftest import SURE, Clock
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)
KEY = os.environ.get("KANPU_STRIPE_TEST_KEY", "")
GOOD, CLOSED = (Account("1100", "000", "1", number, "ヤマダ タロウ") for number in ("0001234", "1111113"))
Pass = Callable[[], None]


@pytest.fixture(params=["simulated", "real"])
def pass_time(request: pytest.FixtureRequest, clock: Clock, tmp_path: Path, settings: Any) -> Iterator[Pass]:
    """At one of the two; what lets it go on for a while."""
    if request.param == "simulated":
        with at_stripe.running(tmp_path / "stripe", SURE, clock) as found:
            settings.KANPU_STRIPE_KEY, settings.KANPU_STRIPE_URL = at_stripe.KEY, found.url
            yield found.pass_time
        return
    if not KEY:
        pytest.skip("KANPU_STRIPE_TEST_KEY is not set")
    settings.KANPU_STRIPE_KEY, settings.KANPU_STRIPE_URL = KEY, STRIPE
    topped_up: Any = {"amount": 10_000, "currency": "jpy", "source": "tok_bypassPending"}
    stripe_client().v1.charges.create(topped_up)
    yield lambda: sleep(10)


def until(clock: Clock, pass_time: Pass, *states: str) -> None:
    """Follow payments until obligations stand so."""
    for _ in range(60):
        clock.at += timedelta(hours=2)
        follow_payments(actor="test")
        if payouts.states() == list(states):
            return
        pass_time()
    raise AssertionError(payouts.states())


@pytest.fixture
def paid(run: Run, world: World, pass_time: Pass, clock: Clock) -> None:
    """The first resident's account is closed, the second's is good."""
    for ref, account in zip(world.residents, (CLOSED, GOOD), strict=True):
        payouts.name(ref, account)
    submit_batch(payouts.approved(draft()).pk, actor="test")
    until(clock, pass_time, "failed", "paid")


def test_what_its_test_accounts_fail_with_fails_and_the_rest_is_paid(paid: None, world: World) -> None:
    one, two = world.residents
    failed = Attempt.objects.get(obligation__resident_ref=one)
    assert (failed.state, failed.result_code) == ("failed", "account_closed")
    client = stripe_client()
    for attempt, kept in ((failed, False), (Attempt.objects.get(obligation__resident_ref=two), True)):
        transfer = asking.find_transfer(client, reference=attempt.reference)
        assert (transfer["amount"], transfer["metadata"]["refund"]) == (attempt.amount_minor, attempt.reference)
        assert transfer["amount_reversed"] == (0 if kept else attempt.amount_minor)


def test_what_was_made_is_found_and_its_key_makes_nothing_else(paid: None, clock: Clock) -> None:
    client = stripe_client()
    for attempt in Attempt.objects.all():
        account = StripeAccount.objects.get(pk=attempt.account_id)
        reference, calls = attempt.reference, StripeCall.objects.filter(subject=attempt.reference)
        call = calls.get(step="transfer")
        again = asking.make_transfer(
            client, str(call.key), reference=reference, amount=attempt.amount_minor, account=account.remote_id
        )
        assert again["id"] == call.remote_id == asking.find_transfer(client, reference=reference)["id"]
        payout = calls.get(step="payout")
        since = clock.at - timedelta(days=900)
        found = asking.find_payout(client, reference=reference, account=account.remote_id, since=since)
        assert found["id"] == payout.remote_id
        wanted = str(attempt.account_id)
        assert asking.find_accounts(client, {wanted}, since)[wanted]["id"] == account.remote_id
        if reversal := calls.filter(step="reversal").first():
            made = asking.find_reversal(client, reference=reference, transfer=call.remote_id)
            assert made["id"] == reversal.remote_id

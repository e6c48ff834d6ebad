"""What becomes of payments at Stripe, and webhooks, which are believed in nothing."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.test import Client

from apps.payouts.models import (
    Attempt,
    Batch,
    StripeCall,
    StripeEvent,
    StripePayment,
)
from apps.payouts.operations.batches import BatchState, drop_batch, make_batch, submit_batch
from apps.payouts.operations.folder import FileChanged, draft_of
from apps.payouts.operations.reissuing import reissue
from apps.payouts.operations.stripe_payments import follow_payments
from apps.payouts.queries.reconciling import failed_of, reckoning
from apps.refunds.models import Run, Settlement
from apps.residents.vault.contents import Account
from apps.simulator.stripe_api import FAILS, LIMIT, SILENT_AFTER
from apps.simulator.stripe_ledger import Rule
from tests import at_stripe, payouts
from tests.at_stripe import LATER, Stripe, draft, followed, sent, told, whole
from tests.integration.payouts.conftest import Clock
from tests.world import YEAR, World

pytestmark = pytest.mark.django_db(transaction=True)


# --- what becomes of it ---


def test_what_a_bank_does_not_take_is_taken_back_and_paid_to_another_account(
    run: Run, stripe: Stripe, clock: Clock, world: World
) -> None:
    payouts.name(world.residents[0], Account("0001", "004", "1", "1111113", "ヤマダ タロウ"))
    sent()
    stripe.pass_time()
    stripe.pass_time()
    stripe.order("/reversals", SILENT_AFTER, SILENT_AFTER, SILENT_AFTER)
    clock.at += LATER
    follow_payments(actor="test")
    assert payouts.states() == ["in_flight", "paid"]  # its money is not back yet
    followed(clock, stripe)
    assert payouts.states() == ["failed", "paid"]
    assert Attempt.objects.get(state="failed").result_code == "account_closed"
    assert stripe.ledger.stray_minor() == 0
    assert reissue(failed_of(run), actor="test") == 0
    payouts.name(world.residents[0], payouts.OTHER, at=clock.at)
    clock.at += timedelta(days=40)
    assert reissue(failed_of(run), actor="test") == 1
    assert sent().transfers == 1
    followed(clock, stripe)
    assert payouts.attempts() == ["reissued", "paid", "paid"]
    assert reckoning(run).is_done
    assert stripe.ledger.stray_minor() == 0


def test_an_account_that_stripe_does_not_take_fails_and_no_money_moves(
    run: Run, stripe: Stripe, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.payouts.stripe_connect.asking.CURRENCY", "usd")
    sent()
    assert payouts.states() == ["failed", "failed"]
    assert stripe.count("transfer") == 0
    assert Batch.objects.get().state == "sent"


def test_money_that_comes_back_after_it_was_paid_is_owed_again(
    run: Run, stripe: Stripe, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    stripe.ledger.rule = Rule(fail=0, come_back=1_000)
    sent()
    followed(clock, stripe)
    assert payouts.states() == ["paid", "paid"]
    stripe.pass_time()
    clock.at += timedelta(days=1, hours=1)  # without a webhook what is paid is asked after once a day
    follow_payments(actor="test")
    assert payouts.states() == ["returned", "returned"]
    assert not Settlement.objects.exists()
    assert (stripe.ledger.stray_minor(), stripe.count("reversal")) == (0, 2)
    assert reckoning(run).adds_up


def test_an_older_status_never_overrides_a_newer_one(run: Run, stripe: Stripe, clock: Clock) -> None:
    sent()
    followed(clock, stripe)
    with pytest.raises(DatabaseError, match="is not pending again"), transaction.atomic():
        StripePayment.objects.update(status="pending")


def test_who_was_paid_long_enough_ago_is_not_asked_after_until_a_webhook_says_so(
    run: Run, stripe: Stripe, clock: Clock, client: Client
) -> None:
    stripe.ledger.rule = Rule(fail=0, come_back=1_000)
    sent()
    followed(clock, stripe)
    clock.at += timedelta(days=15)
    follow_payments(actor="test")
    assert set(StripePayment.objects.values_list("step", flat=True)) == {"over"}
    stripe.pass_time()
    for body in stripe.events():
        assert told(client, body) == 200
    follow_payments(actor="test")
    assert payouts.states() == ["returned", "returned"]


def test_one_payment_that_cannot_be_kept_does_not_hold_up_the_others(
    run: Run, stripe: Stripe, clock: Clock, world: World
) -> None:
    sent()
    Settlement.objects.create(
        resident_ref=world.residents[0], tax_year=YEAR, run=1, kind="netted", amount_minor=4_000, at=clock.at,
        against_year=2016, against_run=1,
    )  # fmt: skip
    followed(clock, stripe)
    assert payouts.states() == ["in_flight", "paid"]


# --- webhooks ---


def test_a_webhook_is_believed_only_that_there_is_something_to_ask(
    run: Run, stripe: Stripe, clock: Clock, client: Client
) -> None:
    sent()
    stripe.pass_time()
    lie = stripe.events()[0].replace("payout.created", "payout.paid").replace('"pending"', '"paid"')
    assert told(client, lie) == 200
    assert follow_payments(actor="test") == 1  # of the two only this one is asked after
    assert payouts.states() == ["in_flight", "in_flight"]
    assert StripePayment.objects.filter(status="in_transit").count() == 1


def test_webhooks_twice_and_in_any_order_pay_once(run: Run, stripe: Stripe, clock: Clock, client: Client) -> None:
    sent()
    stripe.pass_time()
    stripe.pass_time()
    for body in [*reversed(stripe.events()), *stripe.events()]:
        assert told(client, body) == 200
    assert StripeEvent.objects.count() == 6
    follow_payments(actor="test")
    assert StripeEvent.objects.filter(taken_at=None).count() == 0
    whole(stripe, run)


def test_what_stripe_did_not_sign_is_refused(run: Run, stripe: Stripe, client: Client, settings: Any) -> None:
    sent()
    body = stripe.events()[0]
    assert told(client, body, secret="whsec_other") == 400
    assert told(client, "{}") == 400
    unsigned = client.post(at_stripe.HOOK, body.encode(), content_type="application/json")
    assert (unsigned.status_code, client.get(at_stripe.HOOK).status_code) == (400, 405)
    settings.KANPU_STRIPE_WEBHOOK_SECRET = ""
    assert told(client, body, secret="") == 400
    assert not StripeEvent.objects.exists()


def test_a_webhook_that_comes_while_stripe_is_away_is_asked_after_later(
    run: Run, stripe: Stripe, clock: Clock, client: Client
) -> None:
    sent()
    stripe.pass_time()
    stripe.pass_time()
    for body in stripe.events():
        told(client, body)
    for one in Attempt.objects.all():
        payout = StripeCall.objects.get(subject=one.reference, step="payout").remote_id
        stripe.order(f"/payouts/{payout}", *[FAILS] * 6)
    follow_payments(actor="test")
    assert payouts.states() == ["in_flight", "in_flight"]
    for _ in range(8):
        clock.at += timedelta(minutes=2)
        follow_payments(actor="test")
    whole(stripe, run)


def test_a_webhook_that_is_faster_than_the_answer_is_not_lost(
    run: Run, stripe: Stripe, clock: Clock, client: Client
) -> None:
    stripe.order("/payouts", SILENT_AFTER, SILENT_AFTER, SILENT_AFTER, SILENT_AFTER, SILENT_AFTER, SILENT_AFTER)
    sent()
    for body in stripe.events():
        told(client, body)
    follow_payments(actor="test")
    assert StripeEvent.objects.filter(taken_at=None).count() == 2
    followed(clock, stripe, times=3)
    assert StripeEvent.objects.filter(taken_at=None).count() == 0
    whole(stripe, run)


def test_what_is_of_no_payout_of_ours_is_forgotten(run: Run, stripe: Stripe, clock: Clock, client: Client) -> None:
    event = {"id": "evt_1", "type": "payout.paid", "data": {"object": {"id": "po_other"}}}
    assert told(client, json.dumps(event)) == 200
    assert told(client, json.dumps(event | {"id": "evt_2", "type": "charge.succeeded"})) == 200
    follow_payments(actor="test")
    assert StripeEvent.objects.filter(taken_at=None).count() == 1
    clock.at += timedelta(days=8)
    follow_payments(actor="test")
    assert StripeEvent.objects.filter(taken_at=None).count() == 0


# --- given up ---


def test_what_stripe_does_not_take_is_given_up_and_paid_through_a_bank(
    run: Run, stripe: Stripe, clock: Clock, world: World
) -> None:
    stripe.ledger.books.execute("UPDATE platform SET balance = 100")  # suffices for one of them
    batch = sent()
    drop_batch(batch.pk, actor="test")
    assert (Batch.objects.get().state, draft_of(batch).exists()) == ("sent", False)
    assert sorted(payouts.attempts()) == ["dropped", "sent"]
    stripe.ledger.books.execute("UPDATE platform SET balance = 10000")
    followed(clock, stripe)
    assert stripe.count("transfer") == 1
    clock.at = payouts.MORNING
    at_bank = make_batch(YEAR, actor="test")
    assert at_bank
    assert at_bank.sum_minor == 4_000
    submit_batch(payouts.approved(at_bank).pk, actor="test")
    payouts.taken(payouts.answer(at_bank, "0"))
    assert reckoning(run).is_done
    assert stripe.ledger.stray_minor() == 0


def test_what_stripe_may_have_is_not_given_up(run: Run, stripe: Stripe, clock: Clock) -> None:
    stripe.order("/transfers", *[SILENT_AFTER] * 12)  # money moved, and no answer came
    batch = sent()
    with pytest.raises(BatchState, match="or may have"):
        drop_batch(batch.pk, actor="test")
    for _ in range(6):
        stripe.pass_time()
        clock.at += LATER
        follow_payments(actor="test")
    whole(stripe, run)


def test_a_batch_whose_approved_file_was_lost_is_given_up_before_stripe_knows_an_account(
    run: Run, stripe: Stripe
) -> None:
    batch = payouts.approved(draft())
    stripe.order("/accounts", *[LIMIT] * 12)
    submit_batch(batch.pk, actor="test")
    draft_of(batch).unlink()
    with pytest.raises(FileChanged):
        submit_batch(batch.pk, actor="test")
    assert drop_batch(batch.pk, actor="test").state == "dropped"
    assert sent().sum_minor == 4_001

"""Refunds go through Stripe: two approve the very file, the keys are the right ones, and they arrive."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError
from django.db import IntegrityError, transaction

from apps.audit.models import AccessRecord
from apps.payouts.models import (
    Attempt,
    AttemptEvent,
    Batch,
    StripeAccount,
    StripePayment,
)
from apps.payouts.operations.batches import NoBankingDay, make_batch, submit_batch
from apps.payouts.operations.folder import FileChanged, draft_of
from apps.payouts.operations.owing import make_obligations
from apps.payouts.operations.stripe_payments import follow_if_set_up, follow_payments
from apps.payouts.zengin.reading import Record, read_file
from apps.refunds.models import Run, Settlement
from apps.residents.operations.erasing import erase_resident
from apps.residents.vault.contents import Account
from apps.simulator.stripe_api import LIMIT
from tests import at_stripe, payouts
from tests.at_stripe import LATER, Stripe, draft, followed, sent, whole
from tests.integration.payouts.conftest import Clock
from tests.world import YEAR, World

pytestmark = pytest.mark.django_db(transaction=True)


def test_two_refunds_go_all_the_way_and_the_run_adds_up(run: Run, stripe: Stripe, clock: Clock) -> None:
    batch = sent()
    assert (batch.state, batch.rail, batch.bank) == ("sent", "stripe", None)
    assert payouts.attempts() == ["sent", "sent"]
    assert not draft_of(batch).exists()
    followed(clock, stripe)
    assert payouts.attempts() == ["paid", "paid"]
    seen = AttemptEvent.objects.filter(attempt=Attempt.objects.first()).order_by("pk").values_list("state", flat=True)
    assert list(seen) == ["draft", "approved", "submitted", "sent", "paid"]
    assert set(Settlement.objects.values_list("amount_minor", flat=True)) == {4_000, 1}
    whole(stripe, run)


# --- who may pay, and to whom ---


def test_nothing_is_asked_of_stripe_before_two_approved_the_very_file(run: Run, stripe: Stripe) -> None:
    batch = draft()
    with pytest.raises(CommandError, match=r"\[batch_state\]"):
        payouts.command("submit_payouts", batch.pk)
    assert stripe.count("account") == 0
    payouts.approved(batch)
    draft_of(batch).write_bytes(draft_of(batch).read_bytes().replace(b'"amount":4000', b'"amount":4001'))
    with pytest.raises(FileChanged):
        submit_batch(batch.pk, actor="test")
    assert stripe.count("account") == 0


def test_a_file_changed_after_it_was_submitted_gets_nobody_an_account(run: Run, stripe: Stripe) -> None:
    batch = payouts.approved(draft())
    stripe.order("/accounts", LIMIT, LIMIT, LIMIT, LIMIT, LIMIT, LIMIT)
    submit_batch(batch.pk, actor="test")
    draft_of(batch).write_bytes(draft_of(batch).read_bytes().replace(b"1234567", b"7654321"))
    with pytest.raises(FileChanged):
        submit_batch(batch.pk, actor="test")
    assert stripe.count("account") == 0


def test_payments_that_are_not_those_of_the_approved_file_are_not_made(run: Run, stripe: Stripe) -> None:
    batch = payouts.approved(draft())
    Attempt.objects.filter(amount_minor=1).update(amount_minor=1_000_000)
    with pytest.raises(FileChanged, match="not those that were approved"):
        submit_batch(batch.pk, actor="test")
    assert stripe.count("account") == 0


def test_the_manifest_is_written_out_and_the_same_rows_give_the_same_bytes(run: Run, stripe: Stripe) -> None:
    batch = draft()
    head, one, two, tail = (json.loads(line) for line in draft_of(batch).read_bytes().splitlines())
    assert head == {"batch": batch.pk, "currency": "jpy", "rail": "stripe", "run": 1, "year": YEAR}
    first = Attempt.objects.order_by("pk")[0]
    assert one == {
        "account_id": str(first.account_id), "amount": 4_000, "bank": "0001", "branch": "004",
        "holder": "ヤマダ タロウ", "kind": "futsu", "number": "1234567", "reference": first.reference,
    }  # fmt: skip
    assert (two["amount"], tail) == (1, {"sum": 4_001, "transfers": 2})
    before = batch.sha256
    Batch.objects.update(state="writing")
    again = make_batch(YEAR, rail="stripe", actor="test")
    assert again
    assert (again.pk, again.sha256) == (batch.pk, before)
    assert AccessRecord.objects.filter(purpose="payment files").exists()


def test_stripe_gets_the_bank_account_and_our_reference_and_no_more_of_a_person(run: Run, stripe: Stripe) -> None:
    sent()
    (account,) = stripe.ledger.rows("SELECT * FROM account ORDER BY seq LIMIT 1")
    assert (account["routing"], account["number"], account["holder"]) == ("0001004", "1234567", "ヤマダ タロウ")
    assert {row["refund"] for row in stripe.ledger.rows("SELECT refund FROM transfer")} == set(
        Attempt.objects.values_list("reference", flat=True)
    )


def test_an_account_changed_after_the_approval_is_not_paid_and_that_is_said(
    run: Run, stripe: Stripe, world: World
) -> None:
    batch = payouts.approved(draft())
    payouts.name(world.residents[0], payouts.OTHER)  # since April another one holds
    _, moved = submit_batch(batch.pk, actor="test")
    assert moved == 1
    assert {row["number"] for row in stripe.ledger.rows("SELECT number FROM account")} == {"1234567"}


def test_a_connected_account_is_used_again_for_the_same_account_of_the_payee(
    run: Run, stripe: Stripe, clock: Clock, world: World
) -> None:
    sent()
    followed(clock, stripe)
    payouts.paying_run({world.residents[0]: 70}, number=2)
    Run.objects.filter(number=1).update(state="closed")
    assert sent(2).sum_minor == 70
    assert (stripe.count("account"), stripe.count("payout")) == (2, 3)


def test_who_is_erased_here_is_erased_at_stripe_once_nothing_is_on_the_way(
    run: Run, stripe: Stripe, clock: Clock, world: World
) -> None:
    sent()
    erase_resident(world.residents[0], reason="test", at=clock.at, actor="test")
    follow_payments(actor="test")
    assert stripe.count("account") == 2  # the payout may still come back
    followed(clock, stripe)
    clock.at += timedelta(days=15)
    follow_payments(actor="test")
    assert (stripe.count("account"), StripeAccount.objects.count()) == (1, 1)
    assert {row["account"] for row in stripe.ledger.rows("SELECT * FROM transfer")} > {
        row["id"] for row in stripe.ledger.rows("SELECT * FROM account")
    }


def test_savings_accounts_wait_at_stripe_and_are_paid_through_a_bank(run: Run, stripe: Stripe, world: World) -> None:
    payouts.name(world.residents[0], Account("0001", "004", "4", "7654321", "ヤマダ タロウ"))
    assert draft().sum_minor == 1
    assert payouts.waits() == dict(zip(world.residents, ("unusable", ""), strict=True))
    assert make_batch(YEAR, rail="stripe", actor="test") is None
    assert payouts.command("make_payouts", YEAR, "--dry-run", "--rail", "stripe")["payable"] == 0
    assert payouts.command("make_payouts", YEAR, "--dry-run")["payable"] == 1
    batch = make_batch(YEAR, actor="test")
    assert batch
    with draft_of(batch).open("rb") as file:
        (paid,) = (one.values for one in read_file(file) if isinstance(one, Record) and one.kind == "2")
    assert (paid["account_type"], paid["account_number"], int(paid["amount"])) == ("4", "7654321", 4_000)
    assert set(payouts.waits().values()) == {""}


def test_who_is_erased_while_a_payment_is_prepared_is_forgotten_once_it_is_over(
    run: Run, stripe: Stripe, clock: Clock, world: World
) -> None:
    sent()
    followed(clock, stripe)
    clock.at += timedelta(days=15)
    follow_payments(actor="test")  # the first payments are over
    payouts.paying_run({world.residents[0]: 70}, number=2)
    batch = payouts.approved(draft(2))
    erase_resident(world.residents[0], reason="test", at=clock.at, actor="test")
    follow_payments(actor="test")
    clock.at += timedelta(days=1)
    submit_batch(batch.pk, actor="test")
    followed(clock, stripe)
    assert Attempt.objects.get(obligation__run=2).state == "paid"
    clock.at += timedelta(days=15)
    follow_payments(actor="test")
    assert StripeAccount.objects.count() == 1


def test_no_day_can_be_named_for_stripe(run: Run, stripe: Stripe, clock: Clock) -> None:
    make_obligations(YEAR, actor="test")
    with pytest.raises(NoBankingDay):
        make_batch(YEAR, rail="stripe", on=clock.at.date() + timedelta(days=7), actor="test")


def test_one_rail_does_not_pay_what_the_other_has(run: Run, stripe: Stripe) -> None:
    draft()
    assert make_batch(YEAR, actor="test") is None
    with pytest.raises(IntegrityError, match="batch_rail"), transaction.atomic():
        Batch.objects.update(rail="zengin")


# --- keys ---


def test_a_key_in_the_wrong_place_is_refused_before_anything_is_submitted(
    run: Run, stripe: Stripe, settings: Any
) -> None:
    batch = payouts.approved(draft())
    settings.KANPU_STRIPE_KEY = "sk_live_1"
    with pytest.raises(CommandError, match=r"\[stripe_live_key_elsewhere\]"):
        payouts.command("submit_payouts", batch.pk)
    settings.KANPU_STRIPE_KEY, settings.PRODUCTION = at_stripe.KEY, True
    with pytest.raises(CommandError, match=r"\[stripe_test_key_in_production\]"):
        payouts.command("submit_payouts", batch.pk)
    assert Batch.objects.get().state == "approved"
    assert not StripePayment.objects.exists()
    assert stripe.count("account") == 0


def test_a_worker_without_a_key_leaves_stripe_alone(run: Run, stripe: Stripe, settings: Any) -> None:
    settings.KANPU_STRIPE_KEY = ""
    assert follow_if_set_up(actor="clock") == 0


# --- the operator ---


def test_the_commands_go_all_the_way(run: Run, stripe: Stripe, clock: Clock) -> None:
    (batch,) = payouts.command("make_payouts", YEAR, "--rail", "stripe")["batches"]
    assert batch["file"].endswith(".jsonl")
    for officer in ("ann", "ben"):
        payouts.command("approve_payouts", batch["batch"], "--by", officer, "--sha256", batch["sha256"])
    assert payouts.command("submit_payouts", batch["batch"])["state"] == "sent"
    stripe.pass_time()
    stripe.pass_time()
    clock.at += LATER
    assert payouts.command("follow_stripe_payouts") == {"steps_taken": 2, "payments": {"ask": 2}, "last_errors": {}}
    table = payouts.command("reconcile_payouts", YEAR, "--close")
    assert (table["state"], table["adds_up"], table["nothing_open"]) == ("closed", True, True)

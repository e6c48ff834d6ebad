"""Refunds go through Stripe once: two approve, keys are on record before calls, whatever answers are lost or lie."""

import io
import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test import Client

from apps.audit.models import AccessRecord
from apps.payouts import tasks
from apps.payouts.models import (
    Attempt,
    AttemptEvent,
    Batch,
    Obligation,
    StripeAccount,
    StripeCall,
    StripeEvent,
    StripePayment,
)
from apps.payouts.operations import stripe_calls, stripe_payments
from apps.payouts.operations.batches import NoBankingDay, make_batch, submit_batch
from apps.payouts.operations.folder import FileChanged, draft_of
from apps.payouts.operations.owing import make_obligations
from apps.payouts.operations.reissuing import reissue
from apps.payouts.operations.stripe_payments import follow_if_set_up, follow_payments
from apps.payouts.queries.reconciling import failed_of, reckoning
from apps.refunds.models import Run, Settlement
from apps.residents.operations.erasing import erase_resident
from apps.residents.vault.contents import Account
from apps.simulator.stripe_api import BUSY, FAILS, FAILS_AFTER, LIMIT, SILENT_AFTER
from apps.simulator.stripe_ledger import Rule
from tests import at_stripe, payouts
from tests.at_stripe import LATER, Stripe, draft, followed, sent, told, whole
from tests.integration.payouts.conftest import Clock
from tests.world import YEAR, World
from tests.year_end import Died

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
        command("submit_payouts", batch.pk)
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


def test_savings_accounts_wait_because_stripe_does_not_know_them(run: Run, stripe: Stripe, world: World) -> None:
    payouts.name(world.residents[0], Account("0001", "004", "4", "7654321", "ヤマダ タロウ"))
    assert draft().sum_minor == 1
    assert list(Obligation.objects.order_by("pk").values_list("waits_for", flat=True)) == ["unusable", ""]


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
        command("submit_payouts", batch.pk)
    settings.KANPU_STRIPE_KEY, settings.PRODUCTION = at_stripe.KEY, True
    with pytest.raises(CommandError, match=r"\[stripe_test_key_in_production\]"):
        command("submit_payouts", batch.pk)
    assert Batch.objects.get().state == "approved"
    assert not StripePayment.objects.exists()
    assert stripe.count("account") == 0


def test_a_worker_without_a_key_leaves_stripe_alone(run: Run, stripe: Stripe, settings: Any) -> None:
    settings.KANPU_STRIPE_KEY = ""
    assert follow_if_set_up(actor="clock") == 0


# --- once, whatever happens to a call ---


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


def test_a_second_key_needs_that_the_first_is_known_to_have_made_nothing(run: Run, stripe: Stripe) -> None:
    sent()
    call = StripeCall.objects.filter(step="transfer")[0]
    call.key, call.remote_id, call.answer = "00000000-0000-4000-8000-000000000000", "", ""
    with pytest.raises(IntegrityError, match="made_once_at_stripe"), transaction.atomic():
        call.save(force_insert=True)


POINTS: list[tuple[Any, str]] = [
    (stripe_calls, "keep_keys"), (stripe_payments, "take_turns"), (stripe_payments, "settle"),
]  # fmt: skip


def dying(module: Any, name: str, *, times: int, after: bool) -> Any:
    """A call of a function at which the process dies."""
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


# --- the operator ---


def command(name: str, *options: object) -> dict[str, Any]:
    out = io.StringIO()
    call_command(name, *(str(option) for option in options), "--json", stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def test_the_commands_go_all_the_way(run: Run, stripe: Stripe, clock: Clock) -> None:
    (batch,) = command("make_payouts", YEAR, "--rail", "stripe")["batches"]
    assert batch["file"].endswith(".jsonl")
    for officer in ("ann", "ben"):
        command("approve_payouts", batch["batch"], "--by", officer, "--sha256", batch["sha256"])
    assert command("submit_payouts", batch["batch"])["state"] == "sent"
    stripe.pass_time()
    stripe.pass_time()
    clock.at += LATER
    assert command("follow_stripe_payouts") == {"steps_taken": 2, "payments": {"ask": 2}, "last_errors": {}}
    table = command("reconcile_payouts", YEAR, "--close")
    assert (table["state"], table["adds_up"], table["nothing_open"]) == ("closed", True, True)

"""What is said late, again, or in the wrong place: money back after the end, files that were half understood."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.payouts.models import Attempt, ResultFile, SendingBank
from apps.payouts.operations.batches import make_batch, submit_batch
from apps.payouts.operations.closing import close_paid_run
from apps.payouts.operations.owing import make_obligations
from apps.payouts.operations.reissuing import reissue
from apps.payouts.operations.results import NotAResultFile, import_results
from apps.payouts.operations.stripe_payments import follow_payments
from apps.payouts.queries.reconciling import failed_of, reckoning
from apps.refunds.models import Run, Settlement
from apps.refunds.operations.netting import record_payments
from apps.simulator.stripe_ledger import Rule
from tests import payouts
from tests.at_stripe import Stripe, followed, sent
from tests.integration.payouts.conftest import Clock, least
from tests.world import YEAR, World

pytestmark = pytest.mark.django_db(transaction=True)


def test_money_that_comes_back_after_its_run_was_closed_opens_the_run_and_is_paid_again(run: Run, world: World) -> None:
    batch = payouts.sent()
    payouts.taken(payouts.answer(batch, "0", name="1.txt"))
    close_paid_run(YEAR, actor="test")
    reference = Attempt.objects.get(obligation__resident_ref=world.residents[0]).reference
    payouts.taken(payouts.answer(batch, {reference: "8"}, name="2.txt"))
    run.refresh_from_db()
    assert (run.state, run.closed_at) == ("paying", None)
    payouts.name(world.residents[0], payouts.OTHER)
    assert reissue(failed_of(run), actor="test") == 1
    again = make_batch(YEAR, actor="test")
    assert again
    submit_batch(payouts.approved(again).pk, actor="test")
    payouts.taken(payouts.answer(again, "0", name="3.txt"))
    assert close_paid_run(YEAR, actor="test").state == "closed"
    assert sum(Settlement.objects.values_list("amount_minor", flat=True)) == run.due_minor


def test_a_carried_part_that_comes_back_after_both_runs_were_closed_opens_the_run_that_paid_it(
    run: Run, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = world.residents[1]
    least(100, monkeypatch)
    payouts.taken(payouts.answer(payouts.sent(), "0"))
    payouts.paying_run({two: 99}, number=2)
    close_paid_run(YEAR, number=1, actor="test")
    make_obligations(YEAR, number=2, actor="test")
    batch = make_batch(YEAR, number=2, actor="test")
    assert batch
    submit_batch(payouts.approved(batch).pk, actor="test")
    payouts.taken(payouts.answer(batch, "0", name="2.txt"))
    close_paid_run(YEAR, number=2, actor="test")
    payouts.taken(payouts.answer(batch, "8", name="3.txt"))
    assert list(Run.objects.order_by("number").values_list("state", flat=True)) == ["closed", "paying"]
    assert [reckoning(one).adds_up for one in Run.objects.all()] == [True, True]


def test_what_fails_at_stripe_after_its_run_was_closed_is_paid_again(run: Run, stripe: Stripe, clock: Clock) -> None:
    stripe.ledger.rule = Rule(fail=0, come_back=1_000)
    sent()
    followed(clock, stripe)
    close_paid_run(YEAR, actor="test")
    stripe.pass_time()
    clock.at += timedelta(days=1, hours=1)
    follow_payments(actor="test")
    assert payouts.states() == ["returned", "returned"]
    assert reissue(failed_of(run), to_same_account=True, actor="test") == 2
    stripe.ledger.rule = Rule(fail=0, come_back=0)
    assert sent().sum_minor == 4_001


# --- files that were not understood ---


def test_a_file_whose_codes_the_bank_did_not_have_is_taken_once_it_has_them(run: Run) -> None:
    batch = payouts.sent()
    one, two = Attempt.objects.order_by("pk").values_list("reference", flat=True)
    path = payouts.answer(batch, {one: "0", two: "3"})
    file = payouts.taken(path)
    assert (file.applied, file.refused, payouts.states()) == (1, 1, ["paid", "in_flight"])
    SendingBank.objects.update(result_codes={"0": "paid", "3": "failed"})
    file = payouts.taken(path)
    assert (file.applied, file.same, file.refused, payouts.states()) == (1, 1, 0, ["paid", "failed"])
    assert (ResultFile.objects.count(), Settlement.objects.count()) == (1, 1)


def test_a_file_given_to_the_wrong_bank_is_left_for_the_right_one(run: Run) -> None:
    path = payouts.answer(payouts.sent(), "0")
    other = payouts.bank(name="other", bank="0005")
    twin = payouts.bank(name="twin")  # another account at the same bank
    for wrong in (other, twin):
        with pytest.raises(NotAResultFile):
            import_results(path, bank=wrong, actor="test")
    assert not ResultFile.objects.exists()
    file, was_known = import_results(path, bank=SendingBank.objects.get(name="main"), actor="test")
    assert (file.applied, was_known) == (2, False)


def test_a_payment_that_cannot_be_kept_is_told_and_the_rest_of_the_file_taken(run: Run, world: World) -> None:
    batch = payouts.sent()
    record_payments(run, [(world.residents[0], 4_000)], at=timezone.now(), actor="test")
    file = payouts.taken(payouts.answer(batch, "0"))
    assert [(one["line"], one["code"]) for one in file.problems] == [(2, "paid_too_much")]
    assert (file.applied, payouts.states()) == (1, ["in_flight", "paid"])

"""What a run owes to whom, what is carried over, who waits and for what."""

from collections.abc import Callable
from datetime import date, timedelta
from uuid import UUID

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.payouts.models import Batch, Obligation, PaymentHold
from apps.payouts.operations.batches import (
    approve_batch,
    drop_batch,
    make_batch,
    submit_batch,
)
from apps.payouts.operations.closing import close_paid_run
from apps.payouts.operations.folder import draft_of
from apps.payouts.operations.owing import AlreadyHeld, hold_payments, lift_hold, make_obligations
from apps.payouts.operations.payees import PayeeChanged
from apps.payouts.queries.reconciling import reckoning
from apps.payouts.zengin.reading import Record, read_file
from apps.refunds.models import Run, Settlement
from apps.refunds.operations.lapsing import lapse_refunds
from apps.refunds.operations.netting import record_payments
from apps.refunds.operations.steps import WrongState
from apps.residents.models import Membership, RegisterEvent
from apps.residents.operations import register_residents
from apps.residents.operations.accounts import consent_to_public_account
from apps.residents.vault.contents import Account
from tests import payouts
from tests.integration.payouts.conftest import Clock, least
from tests.world import YEAR, World

pytestmark = pytest.mark.django_db(transaction=True)


# --- what is owed ---


def test_a_run_owes_each_resident_once(run: Run, world: World) -> None:
    assert make_obligations(YEAR, actor="test") == (2, 4_001, 0, 0)
    assert make_obligations(YEAR, actor="test") == (0, 0, 0, 0)
    assert Obligation.objects.count() == 2
    one = Obligation.objects.all()[0]
    one.pk = None
    with pytest.raises(IntegrityError, match="owed_once"), transaction.atomic():
        one.save(force_insert=True)


def test_nothing_is_owed_before_the_run_is_handed_over(run: Run) -> None:
    Run.objects.update(state="approved")
    with pytest.raises(WrongState):
        make_obligations(YEAR, actor="test")


def test_what_was_netted_is_not_owed(run: Run, world: World) -> None:
    one, two = world.residents
    Settlement.objects.create(
        resident_ref=one, tax_year=YEAR, run=1, kind="netted", amount_minor=300, at=timezone.now(), against_year=2016,
        against_run=1,
    )  # fmt: skip
    Settlement.objects.create(
        resident_ref=two, tax_year=YEAR, run=1, kind="netted", amount_minor=1, at=timezone.now(), against_year=2016,
        against_run=1,
    )  # fmt: skip
    make_obligations(YEAR, actor="test")
    owed = Obligation.objects.get()
    assert (owed.due_minor, owed.settled_minor, owed.amount_minor) == (4_000, 300, 3_700)
    found = reckoning(run)
    assert (found.approved.amount_minor, found.settled_before_minor, found.adds_up) == (4_001, 301, True)


def test_what_is_too_little_is_carried_into_the_next_refund_and_closes_both_runs(
    run: Run, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = world.residents[1]
    least(100, monkeypatch)
    payouts.taken(payouts.answer(payouts.sent(), "0"))
    small = Obligation.objects.get(resident_ref=two)
    assert (small.state, small.amount_minor) == ("carried", 1)
    assert close_paid_run(YEAR, actor="test").state == "closed"
    second = payouts.paying_run({two: 60}, number=2)
    make_obligations(YEAR, actor="test")
    third = payouts.paying_run({two: 39}, number=3)
    make_obligations(YEAR, number=3, actor="test")
    last = Obligation.objects.get(run=3)
    assert (last.due_minor, last.carried_in_minor, last.amount_minor, last.state) == (39, 61, 100, "due")
    batch = make_batch(YEAR, number=3, actor="test")
    assert batch
    assert batch.sum_minor == 100
    submit_batch(payouts.approved(batch).pk, actor="test")
    assert close_paid_run(YEAR, number=2, actor="test").state == "closed"
    assert [reckoning(one_run).adds_up for one_run in (run, second, third)] == [True] * 3
    payouts.taken(payouts.answer(batch, "0", name="second.txt"))
    paid = Settlement.objects.filter(resident_ref=two).order_by("run").values_list("run", "amount_minor")
    assert list(paid) == [(1, 1), (2, 60), (3, 39)]
    assert [reckoning(one_run).adds_up for one_run in (run, second, third)] == [True] * 3
    payouts.taken(payouts.answer(batch, "8", name="third.txt"))
    assert not Settlement.objects.filter(resident_ref=two).exists()
    assert [reckoning(one_run).adds_up for one_run in (run, second, third)] == [True] * 3


def test_a_childs_share_is_paid_to_the_parent_whom_the_register_names(run: Run, world: World) -> None:
    child, parent = world.residents
    Membership.objects.create(
        resident_id=child, household_ref=UUID(int=7), valid=(date(2017, 1, 1), None), payee_id=parent
    )
    payouts.name(parent, payouts.OTHER)
    make_obligations(YEAR, actor="test")
    batch = make_batch(YEAR, actor="test")
    assert batch
    with draft_of(batch).open("rb") as file:
        paid = {one.values["account_number"] for one in read_file(file) if isinstance(one, Record) and one.kind == "2"}
    assert paid == {payouts.OTHER.number}


# --- who waits, and for what ---


@pytest.mark.parametrize(
    ("why", "wait"),
    [
        (lambda ref: None, "missing"),
        (lambda ref: payouts.name(ref, Account("0001", "004", "1", "1", "ダレカ ベツ")), "under_review"),
        (
            lambda ref: consent_to_public_account(ref, channel="portal", at=payouts.NAMED, actor="resident"),
            "public_account",
        ),
        (lambda ref: payouts.name(ref, Account("0001", "998", "1", "1234567", "ヤマダ タロウ")), "unusable"),
    ],
)
def test_who_has_no_account_that_can_be_paid_waits_and_the_others_are_paid(
    world: World, clock: Clock, why: Callable[[UUID], object], wait: str
) -> None:
    one, two = world.residents
    payouts.known(one, None)
    payouts.known(two)
    why(one)
    run = payouts.paying_run({one: 4_000, two: 1})
    assert payouts.draft().sum_minor == 1
    assert payouts.waits() == {one: wait, two: ""}
    assert make_batch(YEAR, actor="test") is None
    assert make_batch(YEAR, actor="test") is None
    assert payouts.waits()[one] == wait
    found = reckoning(run)
    assert [(one_list.waits_for, one_list.amount_minor) for one_list in found.waiting] == [(wait, 4_000)]
    assert found.adds_up
    payouts.name(one, payouts.OTHER, at=payouts.NAMED + (payouts.MORNING - payouts.NAMED) / 2)
    paid = make_batch(YEAR, actor="test")
    assert paid
    assert paid.sum_minor == 4_000


def test_who_died_or_is_suspended_waits(run: Run, world: World) -> None:
    one, two = world.residents
    RegisterEvent.objects.create(
        resident_id=one, kind="death", effective_date=date(2026, 1, 1), recorded_at=timezone.now(), actor="test"
    )
    hold_payments(two, reason=PaymentHold.Reason.SEIZURE, at=timezone.now(), actor="ann")
    with pytest.raises(AlreadyHeld):
        hold_payments(two, reason=PaymentHold.Reason.INQUIRY, at=timezone.now(), actor="ann")
    make_obligations(YEAR, actor="test")
    assert make_batch(YEAR, actor="test") is None
    assert payouts.waits() == {one: "deceased", two: "suspended"}
    lift_hold(two, at=timezone.now(), actor="ann")
    assert make_batch(YEAR, actor="test")
    assert payouts.waits() == {one: "deceased", two: ""}


def test_what_was_settled_otherwise_meanwhile_is_not_paid(run: Run, world: World) -> None:
    make_obligations(YEAR, actor="test")
    record_payments(run, [(world.residents[0], 4_000)], at=timezone.now(), actor="test")
    batch = make_batch(YEAR, actor="test")
    assert batch
    assert batch.sum_minor == 1
    assert payouts.waits()[world.residents[0]] == "settled"


def test_what_goes_to_a_parent_goes_to_the_one_who_is_registered_when_it_is_paid(run: Run, world: World) -> None:
    child, first = world.residents
    second = register_residents([date(1990, 1, 1)], at=payouts.NAMED, actor="test")[0].ref
    payouts.known(second, payouts.OTHER)
    stay = Membership.objects.create(
        resident_id=child, household_ref=UUID(int=7), valid=(date(2017, 1, 1), None), payee_id=first
    )
    batch = payouts.draft()
    Membership.objects.filter(pk=stay.pk).update(payee_id=second)
    with pytest.raises(PayeeChanged):
        approve_batch(batch.pk, by="ann", sha256=batch.sha256, actor="test")
    drop_batch(batch.pk, actor="test")
    RegisterEvent.objects.create(
        resident_id=first, kind="death", effective_date=date(2026, 1, 1), recorded_at=timezone.now(), actor="test"
    )
    again = make_batch(YEAR, actor="test")
    assert again
    assert payouts.OTHER.number.encode() in draft_of(again).read_bytes()
    assert payouts.waits() == {child: "", first: "deceased"}


# --- what is carried over, when its time is over ---


def test_what_is_carried_over_does_not_lapse_before_the_refund_that_it_goes_into(
    run: Run, world: World, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = world.residents[1]
    least(100, monkeypatch)
    payouts.taken(payouts.answer(payouts.sent(), "0"))
    close_paid_run(YEAR, actor="test")
    Run.objects.update(signed_2_at=clock.at - timedelta(days=6 * 365))
    assert lapse_refunds(today=clock.at.date(), actor="clock") == (0, 0, 0)  # nobody could claim it alone
    payouts.paying_run({two: 99}, number=2)
    batch = at_run(2)
    assert batch.sum_minor == 100
    assert lapse_refunds(today=clock.at.date(), actor="clock") == (0, 0, 0)
    drop_batch(batch.pk, actor="test")
    assert lapse_refunds(today=clock.at.date(), actor="clock") == (0, 0, 0)  # run 2 can still be claimed
    batch = at_run(2)
    submit_batch(payouts.approved(batch).pk, actor="test")
    payouts.taken(payouts.answer(batch, "0", name="2.txt"))
    assert [reckoning(each).adds_up for each in Run.objects.all()] == [True, True]
    assert close_paid_run(YEAR, number=2, actor="test").state == "closed"


def test_what_is_carried_over_lapses_with_the_refund_that_it_went_into_and_is_never_paid(
    run: Run, world: World, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = world.residents[1]
    least(100, monkeypatch)
    payouts.taken(payouts.answer(payouts.sent(), "0"))
    payouts.paying_run({two: 99}, number=2)
    drop_batch(at_run(2).pk, actor="test")
    Run.objects.update(signed_2_at=clock.at - timedelta(days=6 * 365))
    assert lapse_refunds(today=clock.at.date(), actor="clock") == (0, 2, 100)
    assert make_batch(YEAR, number=2, actor="test") is None
    assert Obligation.objects.get(run=2).waits_for == "settled"
    assert [reckoning(each).adds_up for each in Run.objects.all()] == [True, True]
    for number in (1, 2):
        assert close_paid_run(YEAR, number=number, actor="test").state == "closed"


def test_nobody_is_warned_of_what_is_carried_over_and_cannot_be_claimed(
    run: Run, world: World, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    least(100, monkeypatch)
    make_obligations(YEAR, actor="test")
    Run.objects.update(signed_2_at=clock.at - timedelta(days=5 * 365 - 20))
    assert lapse_refunds(today=clock.at.date(), actor="clock").warned == 1


def at_run(number: int) -> Batch:
    """A draft of what a run owes."""
    make_obligations(YEAR, number=number, actor="test")
    batch = make_batch(YEAR, number=number, actor="test")
    assert batch
    return batch

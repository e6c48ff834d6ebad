"""A run is signed by two, taken back only before that, taken up where it died."""

import threading

import pytest
from django.db import IntegrityError, connections, transaction
from django.utils import timezone

from apps.accruals.operations.counting import count_all
from apps.audit.models import Event
from apps.audit.officers import NotAnAuditor
from apps.refunds.models import Refund, Run, RunState, Shard, Step, StepName, Tile
from apps.refunds.operations import assessing
from apps.refunds.operations.approving import (
    AlreadySigned,
    DigestChanged,
    approve_run,
    close_run,
    pay_run,
    undo_step,
)
from apps.refunds.operations.assessing import assess_run, assess_shard
from apps.refunds.operations.freezing import freeze
from apps.refunds.operations.recounting import PurchasesWait, YearHasRuns, recount
from apps.refunds.operations.requesting import request_step, run_requested
from apps.refunds.operations.steps import StepRunning, WrongState, alone
from apps.refunds.queries.runs import last_error, latest_run, step_at_work
from apps.schemes.operations import SHIPPED, load_scheme
from tests.till import RawTill, send
from tests.world import World
from tests.year_end import YEAR, Died, count, dues, to_approved, to_verified

pytestmark = pytest.mark.django_db(transaction=True)


def test_two_different_auditors_sign_the_digest_they_read(till: RawTill) -> None:
    count(till, till.sale(reduced=5500))
    run = to_verified()
    with pytest.raises(NotAnAuditor, match="no auditor"):
        approve_run(YEAR, by="nobody", actor="test")
    with pytest.raises(DigestChanged):
        approve_run(YEAR, by="ann", actor="test", digest="0" * 64)
    signed = approve_run(YEAR, by="ann", actor="test", digest=run.digest)
    assert (signed.state, signed.signed_1_by) == (RunState.VERIFIED, "ann")
    with pytest.raises(AlreadySigned, match="another auditor"):
        approve_run(YEAR, by="ann", actor="test")
    approved = approve_run(YEAR, by="ben", actor="test", digest=run.digest)
    assert (approved.state, approved.signed_2_by) == (RunState.APPROVED, "ben")
    assert list(Event.objects.filter(action__startswith="run.").order_by("pk").values_list("action", flat=True)) == [
        "run.freeze", "run.assess", "run.verify", "run.sign", "run.approve"
    ]  # fmt: skip


def test_the_database_itself_refuses_a_run_that_one_person_approved(till: RawTill) -> None:
    count(till, till.sale(reduced=5500))
    to_verified()
    for wrong in (
        {"state": "approved", "signed_1_by": "ann"},
        {"state": "approved", "signed_1_by": "ann", "signed_2_by": "ann"},
        {"state": "paying"},
    ):
        with pytest.raises(IntegrityError, match="approved_by_two"), transaction.atomic():
            Run.objects.update(**wrong)
    with pytest.raises(IntegrityError, match="verified_means_agreed"), transaction.atomic():
        Run.objects.update(verified_minor=1)
    with pytest.raises(IntegrityError, match="one_unfinished_run_a_year"), transaction.atomic():
        Run.objects.create(
            tax_year_id=YEAR, number=9, cutoff_at=timezone.now(), frozen_by="x", secret=b"x" * 32, state="frozen"
        )


def test_a_changed_refund_is_not_what_was_signed(till: RawTill) -> None:
    count(till, till.sale(reduced=5500))
    to_verified()
    Run.objects.update(entitled_minor=101, verified_minor=101)
    with pytest.raises(DigestChanged, match="Verify the run again"):
        approve_run(YEAR, by="ann", actor="test")


def test_what_is_not_approved_can_be_taken_back_a_step_at_a_time(till: RawTill, world: World) -> None:
    count(till, till.sale(reduced=5500))
    to_verified()
    approve_run(YEAR, by="ann", actor="test")
    assert undo_step(YEAR, actor="test").state == RunState.ASSESSED
    assert (latest_run(YEAR).signed_1_by, latest_run(YEAR).digest, Tile.objects.count()) == ("", "", 0)
    assert undo_step(YEAR, actor="test").state == RunState.FROZEN
    assert (Refund.objects.count(), Shard.objects.count()) == (0, 0)
    assert undo_step(YEAR, actor="test").state == RunState.WITHDRAWN
    count(till, till.sale(reduced=5500))
    run = to_approved()
    assert (run.number, dues(2)) == (2, {world.residents[0]: (200, 0, 200)})
    with pytest.raises(WrongState, match="supplementary run"):
        undo_step(YEAR, actor="test")


def test_steps_need_the_state_before_them(till: RawTill) -> None:
    count(till, till.sale(reduced=5500))
    freeze(YEAR, actor="test")
    for step in (pay_run, close_run):
        with pytest.raises(WrongState):
            step(YEAR, actor="test")
    with pytest.raises(WrongState):
        approve_run(YEAR, by="ann", actor="test")
    with pytest.raises(WrongState, match="finish it, or undo it"):
        freeze(YEAR, actor="test")
    assess_run(YEAR, actor="test")
    with pytest.raises(WrongState):
        assess_run(YEAR, actor="test")


def test_a_step_runs_once_at_a_time(till: RawTill) -> None:
    count(till, till.sale(reduced=5500))
    freeze(YEAR, actor="test")
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with alone(YEAR):
                held.set()
                release.wait(20)
        finally:
            connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(10)
    for step in (assess_run, undo_step):
        with pytest.raises(StepRunning, match="Another process"):
            step(YEAR, actor="test")
    release.set()
    thread.join()
    assert assess_run(YEAR, actor="test").state == RunState.ASSESSED


def test_a_step_that_was_asked_for_is_done_by_a_worker_and_only_once(till: RawTill) -> None:
    count(till, till.sale(reduced=5500))
    request_step(YEAR, StepName.FREEZE, actor="user:ann")
    with pytest.raises(StepRunning):
        request_step(YEAR, StepName.FREEZE, actor="user:ben")
    asked = step_at_work(YEAR)
    assert asked
    assert (asked.name, asked.actor) == ("freeze", "user:ann")
    assert (run_requested(), run_requested()) == (1, 0)
    assert latest_run(YEAR).frozen_by == "user:ann"
    request_step(YEAR, StepName.VERIFY, actor="user:ann")
    assert run_requested() == 0
    assert "needs assessed or verified" in Step.objects.get(name="verify").error


def test_a_freeze_that_died_before_the_archive_is_finished_by_the_next(
    till: RawTill, monkeypatch: pytest.MonkeyPatch
) -> None:
    count(till, till.sale(reduced=5500))

    def die(*_args: object, **_more: object) -> None:
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr("apps.refunds.operations.freezing.write_closed_parts", die)
        with pytest.raises(Died):
            freeze(YEAR, actor="test")
    assert step_at_work(YEAR)
    assert freeze(YEAR, actor="test").number == 1
    assert Run.objects.count() == 1
    assert step_at_work(YEAR) is None


def test_a_step_that_was_interrupted_waits_for_somebody_to_start_it_again(
    till: RawTill, monkeypatch: pytest.MonkeyPatch
) -> None:
    count(till, till.sale(reduced=5500))
    freeze(YEAR, actor="test")

    def interrupt(_run: Run) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(assessing, "assess_shard", interrupt)
        with pytest.raises(KeyboardInterrupt):
            assess_run(YEAR, actor="test")
    assert (step_at_work(YEAR), last_error(YEAR).code, run_requested()) == (None, "interrupted", 0)
    assert assess_run(YEAR, actor="test").entitled_minor == 100


def test_an_assessment_that_died_goes_on_with_the_shards_that_are_left(
    till: RawTill, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = world.residents
    count(till, till.sale(one, reduced=5500), till.sale(two, reduced=11000))
    freeze(YEAR, actor="test")
    assessed: list[int] = []

    def once(run: Run) -> bool:
        if assessed:
            raise Died
        assessed.append(1)
        return assess_shard(run)

    with monkeypatch.context() as patch:
        patch.setattr(assessing, "assess_shard", once)
        with pytest.raises(Died):
            assess_run(YEAR, actor="test")
    assert Shard.objects.filter(done_at__isnull=False).count() == 1
    run = assess_run(YEAR, actor="test")
    assert (run.residents, run.entitled_minor, Refund.objects.count()) == (2, 300, 2)


def test_a_year_with_a_run_keeps_its_scheme_until_the_run_is_withdrawn(till: RawTill, world: World) -> None:
    count(till, till.sale(reduced=5500))
    zero, _ = load_scheme(SHIPPED / "jp-zero-food.yaml", at=timezone.now(), actor="test")
    freeze(YEAR, actor="test")
    with pytest.raises(YearHasRuns, match="Undo the run first"):
        recount(YEAR, version=zero, actor="test", seen=lambda _: None)
    assert recount(YEAR, version=zero, actor="test", seen=lambda _: None, dry_run=True).differences == 0
    undo_step(YEAR, actor="test")
    send(till, till.sale(reduced=5500))
    with pytest.raises(PurchasesWait):
        recount(YEAR, version=zero, actor="test", seen=lambda _: None)
    count_all()
    recount(YEAR, version=zero, actor="test", seen=lambda _: None)
    assert to_verified().entitled_minor == 1000  # a tenth of what stands in 11,000 as price without tax

"""What a crash, a mistake or two people at once do to a run: no money is lost or doubled, nothing wrong is signed."""

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, connections, transaction
from django.utils import timezone

from apps.accruals.models import ArchivePart, Total
from apps.accruals.operations.archiving import write_closed_parts
from apps.refunds.assessment import NoRate
from apps.refunds.models import Decision, Member, Refund, Run, RunState, Settlement, Shard, Step, StepName
from apps.refunds.operations import assessing
from apps.refunds.operations.approving import DigestChanged, approve_run, undo_step
from apps.refunds.operations.assessing import assess_run, assess_shard
from apps.refunds.operations.freezing import freeze
from apps.refunds.operations.netting import PaidTooMuch, net_debts, record_payments
from apps.refunds.operations.requesting import request_step, run_requested
from apps.refunds.operations.steps import WrongState
from apps.refunds.operations.verifying import AssessmentsDiffer, DuesDiffer, Second, _verified, verify_run
from apps.refunds.queries.runs import last_error, latest_run, step_at_work
from apps.refunds.queries.statements import statement_of
from apps.residents.operations import Home, set_attributes
from apps.residents.queries import Registered, registered_in
from tests.integration.test_households import HOME, NEW_YEAR, OTHER, limit, move_in, refunds, sell, under
from tests.till import RawTill
from tests.world import World
from tests.year_end import YEAR, Died, checked, count, dues, to_approved, to_verified

pytestmark = pytest.mark.django_db(transaction=True)
THIS_YEAR = datetime.now(UTC).year


def assess_until_the_process_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Freeze and assess; the shards are done, the run is still frozen."""

    def die(*_args: object) -> None:
        raise Died

    freeze(YEAR, actor="test")
    with monkeypatch.context() as patch:
        patch.setattr(assessing, "_assessed", die)
        with pytest.raises(Died):
            assess_run(YEAR, actor="test")


def prove(off_minor: int = 0) -> Run:
    """Verify a run whose totals have no entries, the second assessment being off by some yen."""
    run = latest_run(YEAR)
    return _verified(YEAR, "test", Second(0, run.residents, run.entitled_minor + off_minor, bool(off_minor), []), 0.0)


# --- taken back ---------------------------------------------------------------------------------------------


def test_an_assessment_that_died_and_was_withdrawn_takes_nothing_from_the_next_run(
    till: RawTill, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = world.residents
    count(till, till.sale(one, reduced=5_500))
    to_approved()
    count(till, till.sale(one, reduced=5_500), till.sale(two, reduced=11_000))
    assess_until_the_process_dies(monkeypatch)
    assert undo_step(YEAR, actor="test").state == RunState.WITHDRAWN
    assert to_approved().due_minor == 300
    assert dues(3) == {one: (200, 100, 100), two: (200, 0, 200)}


def test_the_same_where_residents_are_assessed_by_household(
    till: RawTill, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = world.residents
    under(tmp_path, limits=[limit("members", cap={"amount": 100_000})])
    count(till, till.sale(one, reduced=5_500), till.sale(two, reduced=11_000))
    assess_until_the_process_dies(monkeypatch)
    undo_step(YEAR, actor="test")
    to_approved()
    assert dues(2) == {one: (100, 0, 100), two: (200, 0, 200)}


def test_a_worker_that_still_has_a_shard_leaves_nothing_in_a_withdrawn_run(
    till: RawTill, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    count(till, till.sale(reduced=5_500))
    freeze(YEAR, actor="test")
    assessing._with_shards(YEAR)
    Shard.objects.filter(number=1).update(first_ref=UUID(int=0))
    Shard.objects.filter(number=0).delete()
    written, undoing = threading.Event(), threading.Event()
    assess = assessing._assess_flat

    def slowly(*args: Any) -> assessing.Figures:
        found = assess(*args)
        written.set()
        undoing.wait(20)
        return found

    def work() -> None:
        try:
            assert assess_shard()
        finally:
            connections.close_all()

    monkeypatch.setattr(assessing, "_assess_flat", slowly)
    worker = threading.Thread(target=work)
    worker.start()
    assert written.wait(20)
    threading.Timer(0.5, undoing.set).start()
    undo_step(YEAR, actor="test")
    worker.join()
    assert (Refund.objects.count(), Shard.objects.count()) == (0, 0)


def test_undo_that_was_clicked_twice_takes_one_step_back(till: RawTill, world: World) -> None:
    count(till, till.sale(reduced=5_500))
    run = to_verified()
    assert undo_step(YEAR, actor="test", shown=(1, run.state)).state == RunState.ASSESSED
    with pytest.raises(WrongState, match="is assessed by now"):
        undo_step(YEAR, actor="test", shown=(1, run.state))
    assert Refund.objects.count() == 1


# --- signed --------------------------------------------------------------------------------------------------


def test_a_signature_is_for_the_digest_that_was_read_and_for_no_later_one(till: RawTill, world: World) -> None:
    count(till, till.sale(reduced=5_500))
    first = to_verified()
    approve_run(YEAR, by="ann", actor="test")
    assert verify_run(YEAR, actor="test").signed_1_by == "ann"  # the same again
    Total.objects.update(amounts_minor=[0] * 7 + [11_000] + [0] * 4)
    Refund.objects.update(entitled_minor=200, due_minor=200)
    with pytest.raises(AssessmentsDiffer):
        verify_run(YEAR, actor="test")
    assert latest_run(YEAR).signed_1_by == ""
    undo_step(YEAR, actor="test")
    Total.objects.update(amounts_minor=[0] * 7 + [5_500] + [0] * 4)
    assess_run(YEAR, actor="test")
    assert verify_run(YEAR, actor="test").digest == first.digest
    assert approve_run(YEAR, by="ben", actor="test").state == RunState.VERIFIED


def test_what_is_signed_names_every_file_that_was_read(till: RawTill, world: World, tmp_path: Path) -> None:
    under(tmp_path, limits=[limit("members", cap={"amount": 100_000})])
    move_in(Home(world.residents[0], HOME, NEW_YEAR))
    count(till, till.sale(reduced=5_500))
    run = to_verified()
    part = ArchivePart.objects.get()
    for row, field, other in ((part, "files", [{**part.files[0], "sha256": "0" * 64}]), (run, "register_file", None)):
        kept = getattr(row, field)
        type(row).objects.filter(pk=row.pk).update(**{field: other})
        with pytest.raises(DigestChanged):
            approve_run(YEAR, by="ann", actor="test")
        type(row).objects.filter(pk=row.pk).update(**{field: kept})
    assert approve_run(YEAR, by="ann", actor="test").signed_1_by == "ann"


def test_a_run_that_gives_other_than_what_is_left_cannot_be_signed(till: RawTill, world: World) -> None:
    count(till, till.sale(reduced=5_500))
    to_approved()
    count(till, till.sale(reduced=5_500))
    freeze(YEAR, actor="test")
    assess_run(YEAR, actor="test")
    Refund.objects.filter(run=2).update(earlier_minor=0, due_minor=200)
    Run.objects.filter(number=2).update(due_minor=200)
    with pytest.raises(DuesDiffer, match="gives 200 and the runs before it 100"):
        verify_run(YEAR, actor="test")
    with pytest.raises(WrongState):
        approve_run(YEAR, by="ann", actor="test")


def test_proofs_hold_after_a_run_was_proved_differed_and_was_assessed_anew(
    till: RawTill, world: World, tmp_path: Path
) -> None:
    crowd = [UUID(int=n * 2**118 + 1) for n in range(1, 700)]
    count(till, till.sale(reduced=1))
    freeze(YEAR, actor="test")
    for some, off_minor in ((crowd[300:], 1), (crowd[:300], 0)):
        Total.objects.bulk_create(
            Total(
                resident_ref=ref, tax_year=YEAR, run=1, tier="reduced",
                amounts_minor=[550] + [0] * 11, purchases=[1] + [0] * 11,
            )
            for ref in some
        )  # fmt: skip
        assess_run(YEAR, actor="test")
        prove()
        if off_minor:
            assert prove(off_minor).state == RunState.ASSESSED
            undo_step(YEAR, actor="test")
    for ref in (crowd[0], crowd[299], crowd[300], crowd[500], crowd[698]):
        assert checked(statement_of(ref, YEAR, 1), tmp_path) == 0, ref


# --- money ---------------------------------------------------------------------------------------------------


def test_two_years_approved_at_once_net_a_debt_once(world: World) -> None:
    one = world.residents[0]
    approved = {
        "cutoff_at": timezone.now(), "frozen_by": "x", "secret": b"s", "state": "approved", "digest": "d",
        "signed_1_by": "ann", "signed_2_by": "ben",
    }  # fmt: skip
    runs = [Run.objects.create(tax_year_id=y, number=n, **approved) for y, n in ((YEAR, 1), (YEAR, 2), (THIS_YEAR, 1))]
    for run, earlier, due in zip(runs, (500, 0, 0), (-500, 500, 500), strict=True):
        Refund.objects.create(
            resident_ref=one, tax_year=run.tax_year_id, run=run.number, scheme_version=1, entitled_minor=earlier + due,
            earlier_minor=earlier, due_minor=due, at_cap=False, spend_minor=[0], cuts=[], leaf=b"x" * 32,
        )  # fmt: skip

    Run.objects.filter(tax_year=YEAR, number=1).update(state="verified")
    assert net_debts(runs[2], now=timezone.now()) == 0  # nobody has signed the debt yet
    Run.objects.filter(tax_year=YEAR, number=1).update(state="approved")

    def other() -> None:
        try:
            with transaction.atomic():
                net_debts(runs[2], now=timezone.now())
        finally:
            connections.close_all()

    thread = threading.Thread(target=other)
    with transaction.atomic():
        net_debts(runs[1], now=timezone.now())
        thread.start()
        thread.join(0.5)
    thread.join()
    assert [s.amount_minor for s in Settlement.objects.all()] == [500]


def test_the_oldest_debt_is_netted_first_and_a_refund_found_from_the_newest_run(
    till: RawTill, world: World, tmp_path: Path
) -> None:
    under(tmp_path, limits=[limit("members", cap={"amount": 100_000})])
    sale = till.sale(reduced=55_000)
    count(till, sale)
    to_approved()
    for left in (5_500, 11_000):
        count(till, till.give_back(sale, reduced=left))
        to_approved()
    count(till, till.sale(reduced=8_250))
    to_approved()
    assert [due for ((*_, due),) in (dues(run).values() for run in (2, 3, 4))] == [-100, -200, 150]
    assert list(Settlement.objects.order_by("against_run").values_list("against_run", "amount_minor")) == [
        (2, 100), (3, 50)
    ]  # fmt: skip


def test_nobody_is_paid_more_than_is_left_and_nothing_before_the_signatures(till: RawTill, world: World) -> None:
    one, two = world.residents
    count(till, till.sale(one, reduced=5_500))
    run, now = to_verified(), timezone.now()
    with pytest.raises(WrongState):
        record_payments(run, [(one, 100)], at=now, actor="test")
    for name in ("ann", "ben"):
        approve_run(YEAR, by=name, actor="test")
    for ref, amount, left in ((one, 101, 100), (two, 1, 0)):
        with pytest.raises(PaidTooMuch, match=f" {left} minor units are left"):
            record_payments(run, [(ref, amount)], at=now, actor="test")
    assert record_payments(run, [(one, 60), (one, 40)], at=now, actor="test") == 1


def test_a_return_that_leaves_a_refund_at_the_cap_is_no_new_decision(till: RawTill, world: World) -> None:
    sale = till.sale(reduced=1_000_000)
    count(till, sale)
    to_approved()
    count(till, till.give_back(sale, reduced=1_000))
    to_approved()
    assert list(Decision.objects.values_list("run", "kind", "amount_minor")) == [(1, "reduced", 14_181)]


@pytest.mark.parametrize("unit", ["person", "members"])
def test_a_cap_is_reached_by_the_last_yen_and_passed_by_the_next(world: World, tmp_path: Path, unit: str) -> None:
    one, two = world.residents
    under(tmp_path, limits=[limit(unit, cap={"amount": 100})])
    sell(RawTill(world), (one, "04-03", 5_500), (two, "04-03", 5_555))
    assert refunds() == {one: 100, two: 100}
    assert [refund.at_cap for refund in Refund.objects.all()] == [True, True]
    assert [
        bool(refund.cuts) for refund in Refund.objects.filter(resident_ref__in=[one, two]).order_by("spend_minor")
    ] == [False, True]


# --- what the register says ------------------------------------------------------------------------------------


def test_an_attribute_is_a_text_or_a_whole_number(world: World) -> None:
    one, now = world.residents[0], timezone.now()
    for value in (True, 1.5, 2**63, 1e30, [1], {"a": 1}):
        wrong: Any = value
        with pytest.raises(IntegrityError, match="attribute_text_or_whole_number"), transaction.atomic():
            set_attributes([(one, "attr_x", wrong)], start=NEW_YEAR, at=now, actor="test")


def test_any_text_of_an_attribute_reaches_both_assessments(world: World, tmp_path: Path) -> None:
    one, two = world.residents
    odd = "a\"b\\ ,;|\n'ä{}"
    under(
        tmp_path,
        limits=[limit("person", cap={"attribute": "attr_cap"})],
        eligibility=[{"attribute": "attr_x", "equals": odd, "reference": {"ja": "—", "en": "—"}}],
    )
    values: list[tuple[UUID, str, int | str]] = [(one, "attr_x", odd), (two, "attr_x", "?")]
    values += [(ref, "attr_cap", 2**63 - 1) for ref in (one, two)]
    set_attributes(values, start=NEW_YEAR, at=timezone.now(), actor="test")
    sell(RawTill(world), (one, "04-03", 5_500), (two, "05-03", 5_500))
    assert refunds() == {one: 100, two: 0}


def test_a_move_recorded_while_the_register_is_read_waits_for_the_freeze(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = world.residents
    under(tmp_path, limits=[limit("household", cap={"amount": 500})])
    move_in(Home(one, HOME, NEW_YEAR, date(2017, 8, 1)), Home(two, HOME, NEW_YEAR))
    sell(RawTill(world), (one, "04-03", 165_000), (two, "09-03", 165_000))
    read = registered_in
    threads: list[threading.Thread] = []

    def moved_between(year: int) -> Iterator[Registered]:
        yield from read(year)
        if not threads:
            threads.append(threading.Thread(target=move))
            threads[0].start()
            threads[0].join(0.5)

    def move() -> None:
        try:
            move_in(Home(one, OTHER, date(2017, 8, 1)))
        finally:
            connections.close_all()

    monkeypatch.setattr("apps.refunds.operations.register.registered_in", moved_between)
    assert sum(refunds().values()) == 500
    threads[0].join()
    homes = Member.objects.filter(resident_ref=one).order_by("first_month").values_list("household_ref", flat=True)
    assert list(homes) == [HOME, one]


def test_a_purchase_that_changes_no_refund_still_makes_a_statement(till: RawTill, world: World, tmp_path: Path) -> None:
    under(tmp_path, limits=[limit("members", cap={"amount": 100})])
    count(till, till.sale(reduced=55_000))
    to_approved()
    count(till, till.sale(reduced=5_500))
    to_approved()
    assert dues(2) == {world.residents[0]: (100, 100, 0)}


# --- stuck -----------------------------------------------------------------------------------------------------


def test_a_step_that_fails_unforeseen_says_so_and_keeps_no_other_year_waiting(
    till: RawTill, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    request_step(YEAR, StepName.FREEZE, actor="test")
    request_step(THIS_YEAR, StepName.FREEZE, actor="test")

    def disk_full(year: int, **more: Any) -> int:
        if year == YEAR:
            raise OSError(28, "No space left on device")
        return write_closed_parts(year, **more)

    with monkeypatch.context() as patch:
        patch.setattr("apps.refunds.operations.freezing.write_closed_parts", disk_full)
        run_requested()
    assert (last_error(YEAR).code, "No space left" in last_error(YEAR).text) == ("unforeseen", True)
    assert (step_at_work(YEAR), Run.objects.filter(tax_year=THIS_YEAR).count()) == (None, 1)
    assert Step.objects.filter(finished_at=None).count() == 0


def test_a_run_that_cannot_be_assessed_keeps_no_other_year_waiting(till: RawTill, world: World) -> None:
    count(till, till.sale(reduced=5_500))
    Total.objects.create(
        resident_ref=world.residents[0], tax_year=THIS_YEAR, run=1, tier="unknown",
        amounts_minor=[5] + [0] * 11, purchases=[1] + [0] * 11,
    )  # fmt: skip
    freeze(THIS_YEAR, actor="test")
    with pytest.raises(NoRate):
        assess_run(THIS_YEAR, actor="test")
    freeze(YEAR, actor="test")
    assert assess_run(YEAR, actor="test").entitled_minor == 100

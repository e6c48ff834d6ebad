"""A run is signed by two, taken back only before that, taken up where it died, proved to whoever asks."""

import json
import subprocess
import sys
import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connections, transaction
from django.utils import timezone
from pypdf import PdfReader

from apps.accruals.models import Total
from apps.accruals.operations.counting import count_all
from apps.audit.models import Event
from apps.audit.officers import NotAnAuditor
from apps.refunds.models import Decision, LapseWarning, Refund, Run, RunState, Settlement, Shard, Step, StepName, Tile
from apps.refunds.operations import assessing
from apps.refunds.operations.approving import (
    AlreadySigned,
    DigestChanged,
    NotSettled,
    approve_run,
    close_run,
    pay_run,
    undo_step,
)
from apps.refunds.operations.assessing import assess_run, assess_shard
from apps.refunds.operations.checking import check_proof
from apps.refunds.operations.deciding import (
    DecisionClosed,
    NotYetNotified,
    ToldTooEarly,
    TooLate,
    appeal,
    decide_appeal,
    notify,
)
from apps.refunds.operations.freezing import freeze
from apps.refunds.operations.lapsing import lapse_refunds
from apps.refunds.operations.letters import print_letters
from apps.refunds.operations.netting import PaidTooMuch, record_payments
from apps.refunds.operations.recounting import PurchasesWait, YearHasRuns, recount
from apps.refunds.operations.requesting import request_step, run_requested
from apps.refunds.operations.steps import StepRunning, WrongState, alone
from apps.refunds.operations.verifying import verify_run
from apps.refunds.queries.replays import replay
from apps.refunds.queries.runs import last_error, latest_run, step_at_work
from apps.refunds.queries.statements import StatementMissing, statement_of
from apps.schemes.operations import SHIPPED, load_scheme
from tests.till import RawTill, send
from tests.world import World, auditor

pytestmark = pytest.mark.django_db(transaction=True)
YEAR = 2017
DECIDED_AT = datetime(2018, 3, 19, tzinfo=UTC)


class Died(BaseException):
    """What a process does not survive."""


@pytest.fixture
def till(world: World) -> RawTill:
    auditor("ann")
    auditor("ben")
    return RawTill(world)


def count(till: RawTill, *records: dict[str, Any]) -> None:
    assert send(till, *records) == []
    count_all()


def to_verified() -> Run:
    freeze(YEAR, actor="test")
    assess_run(YEAR, actor="test")
    return verify_run(YEAR, actor="test")


def to_approved() -> Run:
    to_verified()
    approve_run(YEAR, by="ann", actor="test")
    return approve_run(YEAR, by="ben", actor="test")


def dues(run: int) -> dict[UUID, tuple[int, int, int]]:
    rows = Refund.objects.filter(run=run).values_list("resident_ref", "entitled_minor", "earlier_minor", "due_minor")
    return {ref: (entitled, earlier, due) for ref, entitled, earlier, due in rows}


# --- signing ---------------------------------------------------------------------------------------------


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


# --- steps, undone and taken up again -----------------------------------------------------------------------


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


# --- supplementary runs ---------------------------------------------------------------------------------------


def test_a_supplementary_run_gives_differences_and_what_was_too_much_is_netted(till: RawTill, world: World) -> None:
    one, two = world.residents
    sale = till.sale(one, reduced=55_000)
    count(till, sale, till.sale(two, reduced=5_500))
    to_approved()
    count(till, till.give_back(sale, reduced=22_000))
    second = to_approved()
    assert dues(2) == {one: (600, 1000, -400)}
    assert (second.residents, second.entitled_minor, second.statements, second.due_minor) == (2, 700, 1, -400)
    count(till, till.sale(one, reduced=16_500))
    to_approved()
    assert dues(3) == {one: (900, 600, 300)}
    netted = Settlement.objects.get()
    assert (netted.kind, netted.amount_minor, netted.run, netted.against_run) == ("netted", 300, 3, 2)
    count(till, till.sale(one, reduced=27_500))
    to_approved()
    assert list(Settlement.objects.order_by("run").values_list("run", "amount_minor")) == [(3, 300), (4, 100)]


def test_a_year_and_its_supplements_give_what_one_assessment_would(till: RawTill, world: World) -> None:
    one, two = world.residents
    first = [till.sale(one, reduced=105_000), till.sale(two, reduced=300_000)]
    count(till, *first)
    to_approved()
    count(till, till.give_back(first[1], reduced=150_000), till.sale(one, reduced=1))
    to_approved()
    count(till, till.void(first[0]))
    to_approved()
    entitled = {ref: sum(due[2] for run in (1, 2, 3) if (due := dues(run).get(ref))) for ref in world.residents}
    assert entitled == {one: 1, two: 150_000 * 2 // 110}
    assert all(amount >= 0 for amount in entitled.values())


def test_a_run_closes_only_when_all_that_is_due_is_settled(till: RawTill, world: World) -> None:
    count(till, till.sale(reduced=5500))
    run = to_approved()
    assert pay_run(YEAR, actor="test").state == RunState.PAYING
    with pytest.raises(NotSettled, match="1 refunds of 2017 run 1, 100 minor units"):
        close_run(YEAR, actor="test")
    record_payments(run, [(world.residents[0], 100)], at=timezone.now(), actor="test")
    assert close_run(YEAR, actor="test").state == RunState.CLOSED
    with pytest.raises(PaidTooMuch, match="0 minor units are left"):
        record_payments(run, [(world.residents[0], 100)], at=timezone.now(), actor="test")


def test_an_approved_run_is_paid_and_closed_though_a_newer_one_was_frozen(till: RawTill, world: World) -> None:
    count(till, till.sale(reduced=5500))
    first = to_approved()
    count(till, till.sale(reduced=5500))
    freeze(YEAR, actor="test")
    assert (pay_run(YEAR, actor="test").number, latest_run(YEAR).state) == (1, "frozen")
    record_payments(first, [(world.residents[0], 100)], at=timezone.now(), actor="test")
    assert close_run(YEAR, actor="test", number=1).state == RunState.CLOSED
    with pytest.raises(WrongState):
        pay_run(YEAR, actor="test", number=2)


# --- proofs ---------------------------------------------------------------------------------------------------


def test_a_resident_checks_the_statement_offline_and_a_changed_yen_shows(
    till: RawTill, world: World, tmp_path: Path
) -> None:
    one, two = world.residents
    count(till, till.sale(one, reduced=1_000_000, standard=77), till.sale(two, reduced=5500))
    run = to_approved()
    for ref in (one, two):
        statement = statement_of(ref, YEAR, 1)
        assert statement["proof"]["root"] == run.root
        assert checked(statement, tmp_path) == 0
    changed = {**statement_of(one, YEAR, 1), "entitled_minor": 4001, "due_minor": 4001}
    assert checked(changed, tmp_path) == 1
    count(till, till.sale(two, reduced=5500))
    to_approved()
    assert checked(statement_of(two, YEAR, 2), tmp_path) == 0
    assert checked(statement_of(one, YEAR, 1), tmp_path) == 0
    with pytest.raises(StatementMissing):
        statement_of(one, YEAR, 2)


def test_proofs_hold_over_a_withdrawn_run_and_many_tiles(till: RawTill, world: World, tmp_path: Path) -> None:
    crowd = [UUID(int=n * 2**118 + 1) for n in range(1, 700)]
    count(till, till.sale(reduced=1))
    for run, some in ((1, crowd[:300]), (3, crowd[200:])):
        Total.objects.bulk_create(
            Total(
                resident_ref=ref, tax_year=YEAR, run=run, tier="reduced",
                amounts_minor=[550] + [0] * 11, purchases=[1] + [0] * 11,
            )
            for ref in some
        )  # fmt: skip
        freeze(YEAR, actor="test")
        assess_run(YEAR, actor="test")
        prove_without_the_archive()
        if run == 1:
            freeze(YEAR, actor="test")
            undo_step(YEAR, actor="test")
    for run, ref in (
        (1, crowd[0]),
        (1, crowd[299]),
        (3, crowd[200]),
        (3, crowd[255]),
        (3, crowd[698]),
        (3, crowd[300]),
    ):
        assert checked(statement_of(ref, YEAR, run), tmp_path) == 0, (run, ref)


def prove_without_the_archive() -> None:
    """The crowd has totals and no entries: what the second assessment would say is put in its place."""
    from apps.refunds.operations import verifying  # noqa: PLC0415

    run = latest_run(YEAR)
    verifying._verified(YEAR, "test", verifying.Second(0, run.residents, run.entitled_minor, 0, []), 0.0)
    approve_run(YEAR, by="ann", actor="test")
    approve_run(YEAR, by="ben", actor="test")


def checked(statement: object, folder: Path) -> int:
    """The exit status of the residents' own check."""
    path = folder / "statement.json"
    path.write_text(json.dumps(statement))
    done = subprocess.run(
        [sys.executable, "-m", "kanpu_verify", str(path)],
        cwd=Path(django_settings.BASE_DIR) / "sdk",
        env={"PATH": ""},
        capture_output=True,
        check=False,
    )
    return done.returncode


def test_an_auditor_makes_every_leaf_again_and_a_changed_refund_is_named(till: RawTill, world: World) -> None:
    one, two = world.residents
    count(till, till.sale(one, reduced=5500), till.sale(two, reduced=1_000_000))
    to_approved()
    count(till, till.sale(one, reduced=5500))
    to_approved()
    found = check_proof(YEAR, seen=lambda _: None)
    assert [(run.leaves, run.due_minor, run.wrong) for run in found] == [(2, 4100, []), (1, 100, [])]
    Refund.objects.filter(resident_ref=two).update(entitled_minor=3999, due_minor=3999)
    Tile.objects.filter(level=0).update(hashes=b"\1" * 96)
    first, second = check_proof(YEAR, seen=lambda _: None)
    assert [text.split(":")[0] for text in first.wrong] == [
        f"the refund of {two} is not the one that was hashed", "root", "tiles", "due_minor"
    ]  # fmt: skip
    assert [text.split(":")[0] for text in second.wrong] == ["root", "tiles"]


# --- schemes ----------------------------------------------------------------------------------------------------


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


# --- replays, decisions, lapses ---------------------------------------------------------------------------------


def test_a_refund_is_replayed_from_its_purchases_and_a_bent_one_shows(till: RawTill, world: World) -> None:
    one = world.residents[0]
    sale = till.sale(one, reduced=11_000, standard=300)
    wrong = till.sale(one, reduced=9_999)
    count(till, sale, wrong, till.give_back(sale, reduced=5_500), till.correct(wrong, reduced=1_100))
    count(till, till.void(till.sale(one, reduced=70_000)), till.records[-2])
    to_approved()
    found = replay(one, YEAR)
    assert (found.identical, found.refund_minor, [dict(left.amounts) for left in found.purchases]) == (
        True, 120, [{"reduced": 5_500, "standard": 300}, {"reduced": 1_100}, {}]
    )  # fmt: skip
    count(till, till.give_back(sale, reduced=5_500))
    assert replay(one, YEAR).identical
    to_approved()
    assert [replay(one, YEAR, run).refund_minor for run in (1, 2)] == [120, 20]
    Refund.objects.filter(run=2).update(entitled_minor=21, due_minor=-99)
    bent = replay(one, YEAR)
    assert [words.en for words in bent.differences] == ["Refund: kept ¥21, replayed ¥20"]
    with pytest.raises(SystemExit) as stopped:
        call_command("replay_refund", str(one), "2017")
    assert stopped.value.code == 1


def test_what_is_refused_or_reduced_is_a_decision_that_can_be_appealed_against(till: RawTill, world: World) -> None:
    one, two = world.residents
    sale = till.sale(one, reduced=1_000_000)
    count(till, sale, till.sale(two, reduced=5500))
    to_approved()
    decision = Decision.objects.get()
    assert (decision.resident_ref, decision.kind, decision.amount_minor) == (one, "reduced", 14_181)
    with pytest.raises(NotYetNotified):
        appeal(decision.pk, reason="too little", on=date(2018, 4, 1), actor="resident")
    with pytest.raises(ToldTooEarly):
        notify([decision.pk], on=date(2018, 3, 20), actor="test")
    Decision.objects.update(decided_at=DECIDED_AT)
    assert notify([decision.pk], on=date(2018, 3, 20), actor="test") == 1
    assert notify([decision.pk], on=date(2018, 5, 20), actor="test") == 0
    decision.refresh_from_db()
    assert decision.appeal_until == date(2018, 6, 20)
    with pytest.raises(TooLate, match="until 2018-06-20"):
        appeal(decision.pk, reason="too little", on=date(2018, 6, 21), actor="resident")
    appeal(decision.pk, reason="too little", on=date(2018, 6, 20), actor="resident")
    with pytest.raises(DecisionClosed):
        appeal(decision.pk, reason="again", on=date(2018, 6, 20), actor="resident")
    closed = decide_appeal(decision.pk, amended=False, outcome="the cap is the law", actor="user:ann")
    assert closed.state == "confirmed"
    count(till, till.give_back(sale, reduced=950_000))
    to_approved()
    assert list(Decision.objects.filter(run=2).values_list("kind", "amount_minor")) == [("reduced", 3_091)]


def test_letters_of_decisions_are_printed_once_and_the_time_to_appeal_begins(
    till: RawTill, world: World, tmp_path: Path
) -> None:
    one, two = world.residents
    count(till, till.sale(one, reduced=1_000_000), till.sale(two, reduced=2_000_000))
    to_approved()
    Decision.objects.update(decided_at=DECIDED_AT)
    more: dict[str, Any] = {"folder": tmp_path / "letters", "language": "ja", "actor": "test", "seen": lambda *_: None}
    assert print_letters(YEAR, sent_on=date(2018, 3, 20), **more) == 2
    assert print_letters(YEAR, sent_on=date(2018, 3, 21), **more) == 0
    names = sorted(path.name for path in (tmp_path / "letters").iterdir())
    assert names == [f"kanpu-decision-{decision}.pdf" for decision in Decision.objects.order_by("pk")]
    letter = PdfReader(tmp_path / "letters" / names[0])
    assert "2018年6月23日までに" in "".join(letter.pages[0].extract_text().split())
    assert set(Decision.objects.values_list("state", "appeal_until")) == {("notified", date(2018, 6, 23))}


def test_what_nobody_claims_lapses_after_five_years_with_warnings_before(till: RawTill, world: World) -> None:
    one, two = world.residents
    count(till, till.sale(one, reduced=5500), till.sale(two, reduced=11_000))
    run = to_approved()
    Run.objects.update(signed_2_at=datetime(2018, 3, 20, 12, tzinfo=UTC))
    record_payments(run, [(two, 200)], at=timezone.now(), actor="test")
    looks = [
        (date(2022, 3, 19), (0, 0, 0)),
        (date(2022, 3, 20), (1, 0, 0)),
        (date(2022, 3, 21), (0, 0, 0)),
        (date(2022, 12, 20), (1, 0, 0)),
        (date(2023, 2, 25), (1, 0, 0)),
        (date(2023, 3, 20), (0, 0, 0)),
    ]
    for today, expected in looks:
        assert lapse_refunds(today=today, actor="test") == expected, today
    assert lapse_refunds(today=date(2023, 3, 21), actor="test", dry_run=True) == (0, 1, 100)
    with pytest.raises(CommandError, match="yet to come"):
        call_command("lapse_refunds", "--on", str(timezone.localdate() + timedelta(days=1)))
    assert lapse_refunds(today=date(2023, 3, 21), actor="test") == (0, 1, 100)
    assert lapse_refunds(today=date(2023, 3, 22), actor="test") == (0, 0, 0)
    assert list(LapseWarning.objects.order_by("-months_ahead").values_list("months_ahead", flat=True)) == [12, 3, 1]
    pay_run(YEAR, actor="test")
    assert close_run(YEAR, actor="test").state == RunState.CLOSED

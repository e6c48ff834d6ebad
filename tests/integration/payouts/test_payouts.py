"""Refunds reach the bank once: owed, approved by two, sent, and what the bank says of them, in whatever order."""

import io
import json
import stat
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, ProgrammingError, transaction
from django.utils import timezone

from apps.audit.models import AccessRecord, Alarm, Event
from apps.payouts.models import Attempt, AttemptEvent, Batch, Obligation, PaymentHold, ResultFile, SendingBank
from apps.payouts.operations import batches, owing
from apps.payouts.operations.batches import (
    ApprovedBySame,
    BatchState,
    NoBankingDay,
    OtherFile,
    approve_batch,
    drop_batch,
    make_batch,
    submit_batch,
)
from apps.payouts.operations.closing import DoesNotAddUp, close_paid_run
from apps.payouts.operations.folder import FileChanged, draft_of, hand_over, incoming, outgoing
from apps.payouts.operations.owing import AlreadyHeld, hold_payments, lift_hold, make_obligations
from apps.payouts.operations.reissuing import reissue
from apps.payouts.operations.results import NotAResultFile, import_results
from apps.payouts.queries.reconciling import reckoning
from apps.payouts.zengin.reading import Record, read_file
from apps.refunds.models import Run, Settlement
from apps.refunds.operations.approving import NotSettled
from apps.refunds.operations.lapsing import lapse_refunds
from apps.refunds.operations.netting import record_payments
from apps.refunds.operations.steps import WrongState
from apps.residents.models import Membership, Message, RegisterEvent
from apps.residents.operations.accounts import consent_to_public_account
from apps.residents.operations.first_accounts import name_first_accounts
from apps.residents.queries.accounts import account_for_payment
from apps.residents.vault.contents import Account
from tests import payouts
from tests.integration.payouts.conftest import Clock
from tests.vault import enter
from tests.world import YEAR, World
from tests.year_end import Died

pytestmark = pytest.mark.django_db(transaction=True)


def waits() -> dict[UUID, str]:
    return dict(Obligation.objects.values_list("resident_ref", "waits_for"))


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


def least(run: Run, amount_minor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scheme pays nothing below an amount."""

    class Scheme:
        class refund:  # noqa: N801
            minimum_payout = amount_minor

    monkeypatch.setattr(owing, "scheme_of", lambda _version: Scheme)


def test_what_is_too_little_is_carried_into_the_next_refund_and_closes_both_runs(
    run: Run, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = world.residents[1]
    least(run, 100, monkeypatch)
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
    assert waits() == {one: wait, two: ""}
    assert make_batch(YEAR, actor="test") is None
    assert make_batch(YEAR, actor="test") is None
    assert waits()[one] == wait
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
    assert waits() == {one: "deceased", two: "suspended"}
    lift_hold(two, at=timezone.now(), actor="ann")
    assert make_batch(YEAR, actor="test")
    assert waits() == {one: "deceased", two: ""}


def test_what_was_settled_otherwise_meanwhile_is_not_paid(run: Run, world: World) -> None:
    make_obligations(YEAR, actor="test")
    record_payments(run, [(world.residents[0], 4_000)], at=timezone.now(), actor="test")
    batch = make_batch(YEAR, actor="test")
    assert batch
    assert batch.sum_minor == 1
    assert waits()[world.residents[0]] == "settled"


# --- the file ---


def test_the_file_is_the_owners_alone_and_reading_accounts_is_on_record(run: Run, world: World) -> None:
    batch = payouts.draft()
    path = draft_of(batch)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert (batch.transfers, batch.sum_minor, batch.transfer_date) == (2, 4_001, date(2026, 11, 27))
    opened = AccessRecord.objects.filter(purpose="payment files").values_list("resident_ref", flat=True)
    assert set(opened) == set(world.residents)
    with path.open("rb") as file:
        header, one, _ = (found.values for found in read_file(file) if isinstance(found, Record))
    assert (header["date"], header["sender_code"]) == ("1127", "1234567890")
    assert (one["recipient"], one["bank_name"], one["branch_name"]) == ("ﾔﾏﾀﾞ ﾀﾛｳ", "ﾐｽﾞﾎ", "ﾏﾙﾉｳﾁﾁﾕｳｵｳ")


def test_a_bank_takes_so_many_transfers_a_file(run: Run) -> None:
    SendingBank.objects.update(most_transfers=1)
    make_obligations(YEAR, actor="test")
    made = [make_batch(YEAR, actor="test") for _ in range(3)]
    assert [batch and batch.transfers for batch in made] == [1, 1, None]


def test_a_batch_whose_writing_died_is_written_by_the_next(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    make_obligations(YEAR, actor="test")

    def die(*_args: object, **_options: object) -> None:
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(batches, "write_draft", die)
        with pytest.raises(Died):
            make_batch(YEAR, actor="test")
    assert Batch.objects.get().state == "writing"
    batch = make_batch(YEAR, actor="test")
    assert batch
    assert (Batch.objects.count(), batch.transfers, Attempt.objects.count()) == (1, 2, 2)


def test_a_day_on_which_banks_do_not_pay_is_refused(run: Run) -> None:
    make_obligations(YEAR, actor="test")
    for day in (date(2026, 11, 28), date(2026, 11, 26), date(2027, 1, 1)):
        with pytest.raises(NoBankingDay):
            make_batch(YEAR, actor="test", on=day)
    batch = make_batch(YEAR, actor="test", on=date(2026, 12, 1))
    assert batch
    assert batch.transfer_date == date(2026, 12, 1)


# --- four eyes ---


def test_the_same_person_cannot_approve_twice(run: Run) -> None:
    batch = payouts.draft()
    approve_batch(batch.pk, by="ann", sha256=batch.sha256, actor="test")
    with pytest.raises(ApprovedBySame):
        approve_batch(batch.pk, by="ann", sha256=batch.sha256, actor="test")
    with pytest.raises(BatchState):
        submit_batch(batch.pk, actor="test")
    with pytest.raises(IntegrityError), transaction.atomic():
        Batch.objects.update(state="approved", approved_2_by="ann")
    assert approve_batch(batch.pk, by="ben", sha256=batch.sha256, actor="test").state == "approved"
    assert payouts.attempts() == ["approved", "approved"]


def test_a_file_changed_before_or_after_approval_is_refused(run: Run) -> None:
    batch = payouts.draft()
    with pytest.raises(OtherFile):
        approve_batch(batch.pk, by="ann", sha256="0" * 64, actor="test")
    path, content = draft_of(batch), draft_of(batch).read_bytes()
    path.write_bytes(content.replace(b"1234567", b"7654321", 1))
    with pytest.raises(FileChanged):
        approve_batch(batch.pk, by="ann", sha256=batch.sha256, actor="test")
    path.write_bytes(content)
    payouts.approved(batch)
    path.write_bytes(content.replace(b"0000004000", b"0000009000", 1))
    with pytest.raises(FileChanged):
        submit_batch(batch.pk, actor="test")
    assert not list(outgoing().iterdir())
    path.unlink()
    with pytest.raises(FileChanged):
        submit_batch(batch.pk, actor="test")
    drop_batch(batch.pk, actor="test")
    assert payouts.states() == ["due", "due"]
    again = make_batch(YEAR, actor="test")
    assert again
    assert again.sum_minor == 4_001


# --- to the bank, once ---


def test_a_file_too_late_for_its_day_is_not_sent(run: Run, clock: Clock) -> None:
    batch = payouts.approved(payouts.draft())
    clock.at = datetime(2026, 11, 26, 6, 0, tzinfo=UTC)  # 15:00 in Tokyo
    with pytest.raises(NoBankingDay):
        submit_batch(batch.pk, actor="test")
    assert Batch.objects.get().state == "approved"


@pytest.mark.parametrize("dies_at", ["lay_ready", "hand_over", "after_hand_over"])
@pytest.mark.parametrize("taken", [True, False])
def test_a_file_is_laid_out_for_the_bank_once_wherever_its_sending_dies(
    run: Run, monkeypatch: pytest.MonkeyPatch, dies_at: str, taken: bool
) -> None:
    batch = payouts.approved(payouts.draft())

    def die(given: Batch) -> None:
        if dies_at == "after_hand_over":
            hand_over(given)
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(batches, "lay_ready" if dies_at == "lay_ready" else "hand_over", die)
        with pytest.raises(Died):
            submit_batch(batch.pk, actor="test")
    there = outgoing() / batch.file_name
    assert there.exists() == (dies_at == "after_hand_over")
    if taken and there.exists():
        there.unlink()  # the bank has it
    for _ in range(2):
        submit_batch(batch.pk, actor="test")
    assert Batch.objects.get().state == "sent"
    assert there.exists() == (not (taken and dies_at == "after_hand_over"))
    assert not draft_of(batch).exists()
    assert payouts.attempts() == ["sent", "sent"]


def test_what_is_with_the_bank_cannot_be_dropped_or_paid_again(run: Run) -> None:
    batch = payouts.sent()
    with pytest.raises(BatchState):
        drop_batch(batch.pk, actor="test")
    assert make_batch(YEAR, actor="test") is None
    one = Attempt.objects.first()
    assert one
    one.pk, one.reference = None, "again"
    with pytest.raises(IntegrityError, match="one_attempt_at_a_time"), transaction.atomic():
        one.save(force_insert=True)


def test_an_account_changed_after_the_approval_is_not_paid_and_that_is_said(run: Run, world: World) -> None:
    batch = payouts.approved(payouts.draft())
    payouts.name(world.residents[0], payouts.OTHER)  # since April another one holds
    _, moved = submit_batch(batch.pk, actor="test")
    assert moved == 1
    assert payouts.OTHER.number.encode() not in (outgoing() / batch.file_name).read_bytes()
    notes = AttemptEvent.objects.exclude(note="").values_list("attempt__obligation__resident_ref", "note")
    assert list(notes) == [(world.residents[0], "paid to the account of the approval: it was changed since")]


def test_events_are_only_ever_added(run: Run) -> None:
    payouts.draft()
    with pytest.raises(ProgrammingError), transaction.atomic():
        AttemptEvent.objects.update(state="paid")


# --- what the bank says ---


def test_what_the_bank_paid_is_paid_and_the_run_can_be_closed(run: Run, world: World) -> None:
    batch = payouts.sent()
    with pytest.raises(NotSettled, match="2 refunds"):
        close_paid_run(YEAR, actor="test")
    file = payouts.taken(payouts.answer(batch, "0"))
    assert (file.lines, file.applied, file.refused) == (2, 2, 0)
    paid = Settlement.objects.filter(kind="paid").values_list("resident_ref", "amount_minor")
    assert dict(paid) == dict(zip(world.residents, (4_000, 1), strict=True))
    assert reckoning(run).is_done
    assert close_paid_run(YEAR, actor="test").state == "closed"
    seen = AttemptEvent.objects.filter(attempt=Attempt.objects.first()).order_by("pk").values_list("state", flat=True)
    assert list(seen) == ["draft", "approved", "submitted", "sent", "paid"]


def test_the_same_file_twice_changes_nothing(run: Run) -> None:
    path = payouts.answer(payouts.sent(), "0")
    payouts.taken(path)
    copy = path.with_name("copy.txt")
    copy.write_bytes(path.read_bytes())
    assert import_results(copy, bank=SendingBank.objects.get(), actor="test")[1]
    assert (ResultFile.objects.count(), Settlement.objects.count()) == (1, 2)


def test_an_older_result_does_not_override_a_newer_one(run: Run) -> None:
    batch = payouts.sent()
    paid, back = payouts.answer(batch, "0", name="1.txt"), payouts.answer(batch, "8", name="2.txt")
    assert payouts.taken(back).applied == 2
    assert (payouts.taken(paid).older, payouts.states()) == (2, ["returned", "returned"])
    assert not Settlement.objects.exists()
    assert reckoning(run).adds_up


def test_money_that_comes_back_is_owed_again_and_paid_to_a_new_account(run: Run, world: World) -> None:
    batch = payouts.sent()
    payouts.taken(payouts.answer(batch, "0", name="1.txt"))
    reference = Attempt.objects.get(obligation__resident_ref=world.residents[0]).reference
    payouts.taken(payouts.answer(batch, {reference: "8"}, name="2.txt"))
    assert payouts.states() == ["returned", "paid"]
    found = reckoning(run)
    assert (found.adds_up, found.is_done, found.by_state["returned"].amount_minor) == (True, False, 4_000)
    owed = Obligation.objects.get(state="returned")
    assert reissue([owed.pk], actor="test") == 0  # to the same account it would come back again
    payouts.name(world.residents[0], payouts.OTHER)
    assert reissue([owed.pk], actor="test") == 1
    again = make_batch(YEAR, actor="test")
    assert again
    assert again.transfers == 1
    assert payouts.OTHER.number.encode() in draft_of(again).read_bytes()
    submit_batch(payouts.approved(again).pk, actor="test")
    payouts.taken(payouts.answer(again, "0", name="3.txt"))
    assert payouts.attempts() == ["reissued", "paid", "paid"]
    assert reckoning(run).is_done


@pytest.mark.parametrize("is_carried", [False, True])
def test_a_refund_does_not_lapse_while_its_transfer_is_with_the_bank(
    run: Run, world: World, clock: Clock, monkeypatch: pytest.MonkeyPatch, *, is_carried: bool
) -> None:
    if is_carried:
        least(run, 5_000, monkeypatch)
        make_obligations(YEAR, actor="test")
        later = payouts.paying_run(dict.fromkeys(world.residents, 9_000), number=2)
        make_obligations(YEAR, number=later.number, actor="test")
        batch = make_batch(YEAR, number=later.number, actor="test")
        assert batch
        submit_batch(payouts.approved(batch).pk, actor="test")
    else:
        batch = payouts.sent()
    one, two = (Attempt.objects.get(obligation__resident_ref=ref).reference for ref in world.residents)
    Run.objects.update(signed_2_at=clock.at - timedelta(days=6 * 365))
    assert lapse_refunds(today=clock.at.date(), actor="clock").lapsed == 0
    payouts.taken(payouts.answer(batch, {one: "0", two: "1"}))
    assert sorted(payouts.states()) == (["carried", "carried", "failed", "paid"] if is_carried else ["failed", "paid"])
    assert lapse_refunds(today=clock.at.date(), actor="clock") == ((0, 2, 9_001) if is_carried else (0, 1, 1))


def test_what_contradicts_is_told_and_nothing_is_done(run: Run) -> None:
    batch = payouts.sent()
    payouts.taken(payouts.answer(batch, "1", name="1.txt"))
    file = payouts.taken(payouts.answer(batch, "0", name="2.txt"))
    assert (file.applied, file.refused, payouts.states()) == (0, 2, ["failed", "failed"])
    assert {problem["code"] for problem in file.problems} == {"contradiction"}
    assert Alarm.objects.filter(kind="payout_contradiction").count() == 2
    assert not Settlement.objects.exists()


def test_a_late_word_of_an_old_try_does_not_touch_the_new_one(run: Run) -> None:
    batch = payouts.sent()
    payouts.taken(payouts.answer(batch, "1", name="1.txt"))
    reissue(Obligation.objects.values_list("pk", flat=True), to_same_account=True, actor="test")
    assert make_batch(YEAR, actor="test")
    file = payouts.taken(payouts.answer(batch, "0", name="2.txt"))
    assert (file.applied, file.refused) == (0, 2)
    assert payouts.attempts() == ["reissued", "reissued", "draft", "draft"]


def test_of_a_file_that_was_cut_the_whole_lines_are_taken_and_the_rest_later(run: Run) -> None:
    path = payouts.answer(payouts.sent(), "0")
    content = path.read_bytes()
    path.write_bytes(content[: 122 * 2 + 60])
    file = payouts.taken(path)
    assert (file.lines, file.applied) == (1, 1)
    assert [(one["line"], one["code"]) for one in file.problems] == [(3, "record_unreadable"), (0, "cut")]
    path.write_bytes(content)
    file = payouts.taken(path)
    assert (file.applied, file.same, file.refused) == (1, 1, 0)
    assert reckoning(run).is_done


def test_foreign_and_wrong_lines_are_told_with_line_and_reason(run: Run) -> None:
    path = payouts.answer(payouts.sent(), "0")
    header, one, two, trailer, end = path.read_bytes().splitlines()
    foreign = one.replace(one[91:111], b"20990000000000000000")
    more = one[:80] + b"0000004001" + one[90:]
    unknown = two[:113] + b"7" + two[114:]
    path.write_bytes(b"\r\n".join([header, foreign, more, unknown, two[:50], two, trailer, end]))
    file = payouts.taken(path)
    assert (file.applied, [(each["line"], each["code"]) for each in file.problems]) == (
        1,
        [
            (4, "result_unknown"), (5, "record_unreadable"), (7, "does_not_add_up"), (2, "foreign"),
            (3, "other_amount"),
        ],
    )  # fmt: skip
    assert payouts.states() == ["in_flight", "paid"]


def test_what_was_not_sent_cannot_have_been_paid(run: Run) -> None:
    batch = payouts.draft()
    path = incoming() / "early.txt"
    path.write_bytes(payouts.answered(draft_of(batch).read_bytes(), "0"))
    file = payouts.taken(path)
    assert (file.applied, {one["code"] for one in file.problems}) == (0, {"not_sent"})


def test_what_is_no_result_file_leaves_no_trace(run: Run, folder: Path) -> None:
    path = incoming() / "letter.txt"
    path.write_text("Dear sirs")
    with pytest.raises(NotAResultFile):
        payouts.taken(path)
    assert not ResultFile.objects.exists()


# --- the operator ---


def command(name: str, *options: object) -> dict[str, Any]:
    out = io.StringIO()
    call_command(name, *(str(option) for option in options), "--json", stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def test_the_commands_go_all_the_way(run: Run) -> None:
    would = command("make_payouts", YEAR, "--dry-run")
    assert (would["obligations"], would["payable_minor"], Obligation.objects.count()) == (2, 4_001, 0)
    made = command("make_payouts", YEAR)
    (batch,) = made["batches"]
    with pytest.raises(CommandError, match=r"\[other_file\]"):
        command("approve_payouts", batch["batch"], "--by", "ann")
    for officer in ("ann", "ben"):
        approved = command("approve_payouts", batch["batch"], "--by", officer, "--sha256", batch["sha256"])
    assert approved["approved_by"] == ["ann", "ben"]
    assert command("submit_payouts", batch["batch"])["accounts_changed_since"] == 0
    path = payouts.answer(Batch.objects.get(), "0")
    assert command("import_payout_results", path, "--dry-run")["applied"] == 2
    assert payouts.states() == ["in_flight", "in_flight"]
    assert command("import_payout_results", path)["applied"] == 2
    assert command("reissue_payouts", YEAR)["due_again"] == 0
    table = command("reconcile_payouts", YEAR, "--close")
    assert (table["state"], table["adds_up"], table["nothing_open"]) == ("closed", True, True)
    assert table["approved"] == table["paid"] == {"obligations": 2, "amount_minor": 4_001}


def test_a_sum_that_was_bent_ends_the_reconciliation_with_status_1(run: Run) -> None:
    payouts.taken(payouts.answer(payouts.sent(), "0"))
    Settlement.objects.filter(amount_minor=4_000).update(amount_minor=3_999)
    with pytest.raises(SystemExit):
        call_command("reconcile_payouts", YEAR, "--json", stdout=io.StringIO())
    assert reckoning(run).differences == {"recorded": -1}
    with pytest.raises(DoesNotAddUp):
        close_paid_run(YEAR, actor="test")


BANK = """
name: city
sender_code: "1234567890"
sender_name: カクシ キヨタク
bank: "0005"
branch: "001"
account_type: "1"
account_number: "0000123"
line_end: none
clearing_house: ""
result_codes: {"0": paid, "1": failed, "8": returned}
cutoff_time: "14:00"
lead_days: 2
"""


def test_a_bank_is_set_up_from_a_file_and_changed_by_it(world: World, tmp_path: Path) -> None:
    path = tmp_path / "bank.yaml"
    path.write_text(BANK)
    assert command("load_payout_bank", path) == {"bank": "city", "of": "0005-001", "cutoff": "14:00"}
    path.write_text(BANK.replace("14:00", "13:00"))
    command("load_payout_bank", path)
    bank = SendingBank.objects.get()
    assert (bank.sender_name, bank.bank_name, f"{bank.cutoff_time:%H:%M}") == ("ｶｸｼ ｷﾖﾀｸ", "ﾐﾂﾋﾞｼﾕ-ｴﾌｼﾞｴｲ", "13:00")


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ('bank: "0005"', 'bank: "0003"'), ("カクシ キヨタク", "架空市"), ('"8": returned', '"8": perhaps'),
        ("line_end: none", "line_end: cr"), ('"1234567890"', '"12345678901"'), ("lead_days", "days"),
        ('cutoff_time: "14:00"', 'cutoff_time: "later"'), ("name: city\n", ""),
    ],
)  # fmt: skip
def test_a_file_that_describes_no_bank_is_refused(world: World, tmp_path: Path, line: str, other: str) -> None:
    path = tmp_path / "bank.yaml"
    path.write_text(BANK.replace(line, other))
    with pytest.raises(CommandError, match=r"\[bank_file_bad\]"):
        command("load_payout_bank", path)
    assert not SendingBank.objects.exists()


def test_payments_are_held_and_lifted_by_command(run: Run, world: World) -> None:
    ref = world.residents[0]
    assert command("hold_payouts", ref, "--reason", "inquiry")["held"] is True
    assert payouts.draft().sum_minor == 1
    assert command("hold_payouts", ref, "--lift")["held"] is False
    with pytest.raises(CommandError, match=r"\[not_held\]"):
        command("hold_payouts", ref, "--lift")


def test_many_first_accounts_are_named_at_once_as_one_by_one(world: World) -> None:
    one, two = world.residents
    enter(one)
    enter(two)
    named = {one: payouts.TARO, two: Account("0001", "004", "1", "1", "ダレカ ベツ")}
    assert name_first_accounts(named, channel="portal", at=payouts.NAMED, actor="clerk") == 2
    assert name_first_accounts(named, channel="portal", at=payouts.NAMED, actor="clerk") == 0
    found = account_for_payment([one, two], timezone.now())
    assert [found[ref].hold for ref in (one, two)] == [None, "under_review"]
    assert Message.objects.filter(kind="account_changed").count() == 2
    assert Event.objects.filter(action="account.name", resident_ref=one).count() == 1

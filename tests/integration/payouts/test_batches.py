"""A batch: its file, the four eyes on it, and to the bank once."""

import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction
from django.utils import timezone

from apps.audit.models import AccessRecord
from apps.payouts.models import Attempt, AttemptEvent, Batch, PaymentHold, SendingBank
from apps.payouts.operations import batches, writing
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
from apps.payouts.operations.folder import FileChanged, check_draft, draft_of, hand_over, outgoing
from apps.payouts.operations.owing import hold_payments, lift_hold, make_obligations
from apps.payouts.operations.payees import PaymentHeld
from apps.payouts.operations.writing import write_for_bank
from apps.payouts.zengin.reading import Record, read_file
from apps.refunds.models import Run
from apps.refunds.operations.steps import StepRunning
from apps.residents.vault.contents import Account
from tests import payouts
from tests.integration.payouts.conftest import Clock
from tests.world import YEAR, World
from tests.year_end import Died

pytestmark = pytest.mark.django_db(transaction=True)


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


def test_one_who_cannot_be_paid_does_not_keep_the_next_from_a_file(run: Run, world: World) -> None:
    first, second = sorted(world.residents)
    payouts.name(first, Account("0001", "998", "1", "7654321", "ヤマダ タロウ"))  # there is no such branch
    SendingBank.objects.update(most_transfers=1)
    make_obligations(YEAR, actor="test")
    batch = make_batch(YEAR, actor="test")
    assert batch
    assert batch.transfers == 1
    assert payouts.waits() == {first: "unusable", second: ""}


def test_a_batch_whose_writing_died_is_written_by_the_next(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    make_obligations(YEAR, actor="test")

    def die(*_args: object, **_options: object) -> None:
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(writing, "write_draft", die)
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


# --- what lies ready ---


def died_before_hand_over(monkeypatch: pytest.MonkeyPatch) -> Batch:
    """A batch whose file lies ready, and was not handed over."""
    batch = payouts.approved(payouts.draft())

    def die(_batch: Batch) -> None:
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(batches, "hand_over", die)
        with pytest.raises(Died):
            submit_batch(batch.pk, actor="test")
    return batch


def test_a_file_that_was_changed_while_it_lay_ready_is_not_handed_over(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = died_before_hand_over(monkeypatch)
    ready = outgoing() / f".{batch.file_name}"
    ready.write_bytes(ready.read_bytes().replace(b"0000004000", b"0000009000", 1))
    with pytest.raises(FileChanged):
        submit_batch(batch.pk, actor="test")
    assert not (outgoing() / batch.file_name).exists()
    drop_batch(batch.pk, actor="test")
    assert not list(outgoing().iterdir())
    again = make_batch(YEAR, actor="test")
    assert again
    assert again.sum_minor == 4_001


def test_a_file_that_is_changed_while_it_is_copied_is_not_handed_over(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = payouts.approved(payouts.draft())

    def check_and_change(given: Batch) -> None:
        check_draft(given)
        path = draft_of(given)
        path.write_bytes(path.read_bytes().replace(b"0000004000", b"0000009000", 1))

    monkeypatch.setattr(batches, "check_draft", check_and_change)
    with pytest.raises(FileChanged):
        submit_batch(batch.pk, actor="test")
    assert not (outgoing() / batch.file_name).exists()


def test_a_file_that_lay_ready_too_long_is_not_handed_over_and_may_be_dropped(
    run: Run, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = died_before_hand_over(monkeypatch)
    clock.at += timedelta(days=4)
    with pytest.raises(NoBankingDay):
        submit_batch(batch.pk, actor="test")
    assert not (outgoing() / batch.file_name).exists()
    drop_batch(batch.pk, actor="test")
    with pytest.raises(BatchState):
        submit_batch(batch.pk, actor="test")
    assert payouts.states() == ["due", "due"]
    assert not list(outgoing().iterdir())


def test_a_batch_is_not_given_up_while_its_file_is_written(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    make_obligations(YEAR, actor="test")
    refused: list[str] = []

    def drop_meanwhile(batch: Batch, actor: str, seen: Any) -> Any:
        try:
            with ThreadPoolExecutor(1) as other:
                other.submit(drop_elsewhere, batch.pk).result()
        except StepRunning as error:
            refused.append(error.code)
        return write_for_bank(batch, actor, seen)

    monkeypatch.setattr(batches, "write_for_bank", drop_meanwhile)
    batch = make_batch(YEAR, actor="test")
    assert batch
    assert (refused, batch.state) == (["step_running"], "draft")


def drop_elsewhere(pk: int) -> None:
    """Give a batch up on a connection of its own."""
    try:
        drop_batch(pk, actor="test")
    finally:
        connection.close()


# --- held since ---


def test_nothing_is_approved_or_sent_to_whom_payments_are_held_since(run: Run, world: World) -> None:
    batch = payouts.draft()
    hold_payments(world.residents[0], reason=PaymentHold.Reason.SEIZURE, at=timezone.now(), actor="ann")
    with pytest.raises(PaymentHeld):
        approve_batch(batch.pk, by="ann", sha256=batch.sha256, actor="test")
    lift_hold(world.residents[0], at=timezone.now(), actor="ann")
    payouts.approved(batch)
    hold_payments(world.residents[0], reason=PaymentHold.Reason.SEIZURE, at=timezone.now(), actor="ann")
    with pytest.raises(PaymentHeld):
        submit_batch(batch.pk, actor="test")
    drop_batch(batch.pk, actor="test")
    again = make_batch(YEAR, actor="test")
    assert again
    assert (again.sum_minor, payouts.waits()[world.residents[0]]) == (1, "suspended")
    submit_batch(payouts.approved(again).pk, actor="test")


def test_two_who_approve_at_once_are_two_and_the_same_one_twice_at_once_is_one(run: Run) -> None:
    batch = payouts.draft()

    def approve(name: str) -> str:
        try:
            return approve_batch(batch.pk, by=name, sha256=batch.sha256, actor="test").state
        except ApprovedBySame as error:
            return error.code
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as officers:
        said = sorted(officers.map(approve, ["ann"] * 4))
    assert said == ["approved_by_same"] * 3 + ["draft"]
    with ThreadPoolExecutor(2) as officers:
        assert list(officers.map(approve, ["ben"])) == ["approved"]
    assert payouts.attempts() == ["approved", "approved"]

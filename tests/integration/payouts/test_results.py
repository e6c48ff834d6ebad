"""What the bank says of transfers, in whatever order: paid, failed, returned, half, foreign, twice."""

from datetime import timedelta
from pathlib import Path

import pytest

from apps.audit.models import Alarm
from apps.payouts.models import Attempt, AttemptEvent, Obligation, ResultFile, SendingBank
from apps.payouts.operations.batches import (
    make_batch,
    submit_batch,
)
from apps.payouts.operations.closing import close_paid_run
from apps.payouts.operations.folder import draft_of, incoming
from apps.payouts.operations.owing import make_obligations
from apps.payouts.operations.reissuing import reissue
from apps.payouts.operations.results import NotAResultFile, import_results
from apps.payouts.queries.reconciling import reckoning
from apps.refunds.models import Run, Settlement
from apps.refunds.operations.approving import NotSettled
from apps.refunds.operations.lapsing import lapse_refunds
from tests import payouts
from tests.integration.payouts.conftest import Clock, least
from tests.world import YEAR, World

pytestmark = pytest.mark.django_db(transaction=True)


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
        least(5_000, monkeypatch)
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
    assert Alarm.objects.filter(kind="payout_not_sent").count() == 2


def test_what_is_no_result_file_leaves_no_trace(run: Run, folder: Path) -> None:
    path = incoming() / "letter.txt"
    path.write_text("Dear sirs")
    with pytest.raises(NotAResultFile):
        payouts.taken(path)
    assert not ResultFile.objects.exists()

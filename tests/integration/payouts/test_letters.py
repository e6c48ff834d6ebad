"""Letters for whoever has no account: approved by two like a file for a bank, paid once by the post office."""

import hashlib
import io
import json
import re
import stat
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from pypdf import PdfReader

from apps.audit.models import AccessRecord, Alarm
from apps.payouts.models import Attempt, Batch, Obligation, PayableLetter
from apps.payouts.operations import letters
from apps.payouts.operations.batches import (
    ApprovedBySame,
    NoBankingDay,
    approve_batch,
    drop_batch,
    make_batch,
    submit_batch,
)
from apps.payouts.operations.folder import FileChanged, draft_of, from_post, outgoing, paper_of, to_post
from apps.payouts.operations.letters import import_letter_results, make_letters
from apps.payouts.operations.owing import make_obligations
from apps.payouts.operations.payees import PaymentHeld
from apps.payouts.operations.reissuing import reissue
from apps.payouts.queries.reconciling import reckoning
from apps.refunds.models import Run
from apps.residents.models import Message, Resident
from apps.simulator.post_office import LetterRefused, PostOffice
from tests import payouts
from tests.acting import signed_up
from tests.integration.payouts.conftest import Clock
from tests.pages import shown
from tests.world import YEAR, World

pytestmark = pytest.mark.django_db(transaction=True)
LONG = timedelta(days=91)


@pytest.fixture
def without(world: World, clock: Clock) -> Run:
    """The first resident has no account for long; the second was paid."""
    one, two = world.residents
    payouts.known(one, None)
    payouts.known(two)
    run = payouts.paying_run({one: 4_000, two: 1})
    payouts.taken(payouts.answer(payouts.sent(), "0"))
    clock.at += LONG
    return run


@pytest.fixture
def office(tmp_path: Path, without: Run) -> PostOffice:
    return PostOffice(to_post(), from_post(), tmp_path / "post")


def made() -> Batch:
    batch = make_letters(YEAR, actor="test")
    assert batch
    return batch


def sent() -> Batch:
    return submit_batch(payouts.approved(made()).pk, actor="test")[0]


def code_on(batch: Batch) -> str:
    """What stands on the paper."""
    text = PdfReader(to_post() / paper_of(batch).name).pages[0].extract_text()
    found = re.search(r"(?:[0-9A-Z]{4} ){3}[0-9A-Z]{4}", text)
    assert found
    return found[0]


def taken(path: Path | None) -> Any:
    assert path
    return import_letter_results(path, actor="test")[0]


def test_a_letter_is_made_for_whoever_has_no_account_for_long_and_for_nobody_else(
    world: World, clock: Clock, without: Run
) -> None:
    clock.at -= timedelta(days=5)
    assert make_letters(YEAR, actor="test") is None
    clock.at += timedelta(days=5)
    Resident.objects.update(is_protected=True)  # whose address is for named officers only
    assert make_letters(YEAR, actor="test") is None
    Resident.objects.update(is_protected=False)
    batch = made()
    assert (batch.transfers, batch.sum_minor, batch.state) == (1, 4_000, "draft")
    assert make_letters(YEAR, actor="test") is None
    assert reckoning(without).adds_up
    assert AccessRecord.objects.filter(purpose="payable letters", resident_ref=world.residents[0]).exists()
    for path in (draft_of(batch), paper_of(batch)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_who_named_an_account_meanwhile_is_paid_to_it(world: World, clock: Clock, without: Run) -> None:
    payouts.name(world.residents[0], payouts.TARO)
    assert make_letters(YEAR, actor="test") is None


def test_the_code_is_on_the_paper_and_nowhere_else(office: PostOffice) -> None:
    batch = sent()
    code = code_on(batch).replace(" ", "")
    letter = PayableLetter.objects.get()
    assert bytes(letter.code_hash).hex() in (to_post() / batch.file_name).read_text()
    assert code not in (to_post() / batch.file_name).read_text()
    assert code not in json.dumps([str(row) for row in PayableLetter.objects.values()])


def test_two_approve_order_and_paper_and_what_was_changed_is_refused(without: Run) -> None:
    batch = made()
    assert hashlib.sha256(draft_of(batch).read_bytes()).hexdigest() == batch.sha256
    approve_batch(batch.pk, by="ann", sha256=batch.sha256, actor="test")
    with pytest.raises(ApprovedBySame):
        approve_batch(batch.pk, by="ann", sha256=batch.sha256, actor="test")
    paper = paper_of(batch).read_bytes()
    paper_of(batch).write_bytes(paper + b" ")
    with pytest.raises(FileChanged):
        approve_batch(batch.pk, by="ben", sha256=batch.sha256, actor="test")
    paper_of(batch).write_bytes(paper)
    approve_batch(batch.pk, by="ben", sha256=batch.sha256, actor="test")
    paper_of(batch).unlink()
    with pytest.raises(FileChanged):
        submit_batch(batch.pk, actor="test")
    drop_batch(batch.pk, actor="test")
    assert payouts.states() == ["due", "paid"]
    assert not list(draft_of(batch).parent.iterdir())


def test_no_letter_goes_to_who_is_protected_since_it_was_printed(without: Run) -> None:
    batch = payouts.approved(made())
    Resident.objects.update(is_protected=True)
    with pytest.raises(PaymentHeld):
        submit_batch(batch.pk, actor="test")
    assert not list(to_post().iterdir())


def test_letters_that_lay_too_long_are_not_sent(without: Run, clock: Clock) -> None:
    batch = payouts.approved(made())
    clock.at += timedelta(days=15)
    with pytest.raises(NoBankingDay):
        submit_batch(batch.pk, actor="test")


def test_a_letter_is_paid_once_and_settles_the_refund(
    office: PostOffice, without: Run, world: World, clock: Clock
) -> None:
    client = signed_up("hanako", world.residents[0])
    batch = sent()
    assert not list(outgoing().glob("*letters*"))  # that is the bank's
    assert "A letter is on its way with which the post office pays it, until" in shown(client, "/payment")
    assert office.take_orders() == 1
    today = clock.at.date()
    with pytest.raises(LetterRefused):
        office.cash("0000 0000 0000 0000", today)
    assert office.cash(code_on(batch).lower(), today) == 4_000
    with pytest.raises(LetterRefused):
        office.cash(code_on(batch), today)
    result = office.tell()
    assert office.tell() is None
    assert (taken(result).applied, taken(result).applied) == (1, 1)
    assert payouts.states() == ["paid", "paid"]
    found = reckoning(without)
    assert (found.adds_up, found.is_done) == (True, True)
    page = shown(client, "/payment")
    assert "paid by letter at a post office" in page
    assert "567" not in page
    kinds = list(Message.objects.filter(resident_ref=world.residents[0]).order_by("pk").values_list("kind", flat=True))
    assert [kind for kind in kinds if kind in {"letter_payable", "payment_paid"}] == ["letter_payable", "payment_paid"]


def test_a_letter_that_is_not_used_comes_back_and_is_owed_again(
    office: PostOffice, without: Run, world: World, clock: Clock
) -> None:
    batch = sent()
    office.take_orders()
    clock.at += timedelta(days=181)
    with pytest.raises(LetterRefused):
        office.cash(code_on(batch), clock.at.date())
    assert office.give_up(clock.at.date()) == 1
    taken(office.tell())
    assert payouts.states() == ["returned", "paid"]
    assert Message.objects.filter(kind="letter_uncashed").count() == 1
    assert not Message.objects.filter(kind="payment_returned").exists()
    page = shown(signed_up("hanako", world.residents[0]), "/payment")
    assert "was not used until" in page
    assert reckoning(without).adds_up
    assert reissue([Obligation.objects.get(state="returned").pk], actor="test") == 1
    make_batch(YEAR, actor="test")
    assert Obligation.objects.get(state="due").waits_for == "missing"
    assert make_letters(YEAR, actor="test") is None  # not at once
    clock.at += LONG
    again = sent()
    assert again.pk != batch.pk
    assert payouts.attempts() == ["paid", "reissued", "sent"]


def test_one_attempt_is_paid_by_a_letter_or_to_an_account_never_both(
    office: PostOffice, world: World, clock: Clock
) -> None:
    sent()
    payouts.name(world.residents[0], payouts.TARO)
    assert make_batch(YEAR, actor="test") is None
    attempt = Attempt.objects.get(rail="letter")
    attempt.pk, attempt.reference, attempt.rail = None, "1", "zengin"
    with pytest.raises(IntegrityError, match="one_attempt_at_a_time"), transaction.atomic():
        attempt.save(force_insert=True)


def test_bad_lines_are_told_with_line_and_reason_and_the_good_ones_taken(office: PostOffice, clock: Clock) -> None:
    batch = sent()
    office.take_orders()
    office.cash(code_on(batch), clock.at.date())
    path = office.tell()
    assert path
    head, good, end = path.read_text().splitlines()
    reference = good.split(";")[0]
    bank_reference = Attempt.objects.get(rail="zengin").reference
    lines = [head, f"{bank_reference};1;paid", f"{reference};4001;paid", f"{reference};4000;eaten", "x", good]
    bad = path.with_name("bad.csv")
    bad.write_text("\n".join(lines) + "\n")
    found = taken(bad)
    assert [(one["line"], one["code"]) for one in found.problems] == [
        (4, "result_unknown"), (5, "record_unreadable"), (6, "cut"), (2, "foreign"), (3, "other_amount"),
    ]  # fmt: skip
    assert (found.applied, found.refused) == (1, 5)
    assert payouts.states() == ["paid", "paid"]
    assert taken(path).same == 1
    late = path.with_name("late.csv")
    late.write_text("\n".join([head, good.replace("paid", "expired"), end]) + "\n")
    assert taken(late).problems[0]["code"] == "contradiction"
    assert Alarm.objects.filter(kind="payout_contradiction").count() == 1
    assert payouts.states() == ["paid", "paid"]


def test_a_letter_of_which_a_file_says_both_is_left_for_somebody_to_ask(office: PostOffice) -> None:
    sent()
    reference = Attempt.objects.get(rail="letter").reference
    path = from_post() / "both.csv"
    lines = ["kanpu-letter-results;1", f"{reference};4000;paid", f"{reference};4000;expired", "end;2;8000"]
    path.write_text("\n".join(lines) + "\n")
    assert [one["code"] for one in taken(path).problems] == ["contradiction"]
    assert payouts.states() == ["paid", "paid"]  # else it would be paid again


def test_what_dies_while_it_is_written_is_written_again_with_other_codes(
    without: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_args: object) -> None:
        raise OSError("died")

    with monkeypatch.context() as patch:
        patch.setattr(letters, "write_draft", dies)
        with pytest.raises(OSError, match="died"):
            make_letters(YEAR, actor="test")
    batch = made()
    assert (batch.transfers, Batch.objects.filter(rail="letter").count()) == (1, 1)
    assert Attempt.objects.filter(rail="letter").count() == 1


def test_the_commands_go_all_the_way(office: PostOffice, without: Run, clock: Clock) -> None:
    def run(*words: str) -> Any:
        out = io.StringIO()
        call_command(*words, "--json", stdout=out)
        return json.loads(out.getvalue())

    assert run("make_payable_letters", str(YEAR), "--dry-run")["letters"] == 1
    assert not PayableLetter.objects.exists()
    (manifest,) = run("make_payable_letters", str(YEAR))["batches"]
    pk = str(manifest["batch"])
    for by in ("ann", "ben"):
        run("approve_payouts", pk, "--by", by, "--sha256", manifest["sha256"])
    assert run("submit_payouts", pk)["state"] == "sent"
    office.take_orders()
    office.cash_brought(Attempt.objects.get(rail="letter").reference, clock.at.date())
    path = str(office.tell())
    assert run("import_letter_results", path, "--dry-run")["applied"] == 1
    assert payouts.states() == ["in_flight", "paid"]
    assert run("import_letter_results", path)["applied"] == 1
    assert payouts.states() == ["paid", "paid"]
    with pytest.raises(CommandError):
        run("import_letter_results", path + "x")


def test_orders_of_a_rail_without_bank_are_kept_apart_by_constraint(without: Run) -> None:
    batch = made()
    with pytest.raises(IntegrityError, match="batch_rail"):
        Batch.objects.filter(pk=batch.pk).update(rail="zengin")
    make_obligations(YEAR, actor="test")

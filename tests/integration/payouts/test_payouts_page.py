"""Auditors make, approve, send, watch and close payments in the console."""

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.audit.models import AccessRecord, Event
from apps.audit.strength import RECORDS
from apps.console.queries.payouts import lines_of
from apps.payouts.models import Attempt, AttemptEvent, Batch, Estimate, Obligation, PaymentHold, ResultFile
from apps.payouts.operations import estimating
from apps.payouts.operations.estimating import run_estimates
from apps.payouts.operations.owing import make_obligations
from apps.refunds.models import Run, RunState
from apps.residents.models import PaymentAccount
from tests import payouts
from tests.integration.payouts.conftest import Clock
from tests.pages import PASSWORD, as_user, queries_of, sent, state_purpose, text_of
from tests.world import YEAR, World

pytestmark = pytest.mark.django_db(transaction=True)
RUN = f"/console/payouts/runs/{YEAR}/1"


@pytest.fixture
def ann(client: Client, run: Run) -> Client:
    for name in ("ann", "ben"):
        user = User.objects.get(username=name)
        user.set_password(PASSWORD)
        user.save()
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    return as_user(client, "ann")


def shown(client: Client, path: str = "/console/payouts", status: int = 200) -> str:
    response = client.get(path)
    assert response.status_code == status
    return text_of(response).replace("&#x27;", "'")


def of(batch: Batch, act: str = "") -> str:
    return f"/console/payouts/batches/{batch.pk}{act}"


def failed() -> Batch:
    """A batch of which the bank paid nothing."""
    batch = payouts.sent()
    payouts.taken(payouts.answer(batch, "1"))
    return batch


def upload(client: Client, content: bytes, how: str = "take", name: str = "results.txt") -> str:
    form: dict[str, Any] = {"bank": "main", "how": how, "file": SimpleUploadedFile(name, content)}
    return sent(client, "/console/payouts/results", **form)


# --- runs ---


def test_a_run_that_is_paid_is_shown_with_what_waits(ann: Client, world: World) -> None:
    PaymentAccount.objects.filter(resident=world.residents[0]).delete()
    payouts.sent()
    text = shown(ann)
    assert "Year 2017, run 1 It adds up" in text
    assert re.search(r"With the bank, or on the way there 1 ¥1 ", text)
    assert re.search(r"No account 1 refund ¥4,000 The resident names one", text)
    assert re.search(r"Handed over ann, ben", text)


def test_a_worker_counts_what_could_be_paid_and_keeps_nothing_else(
    ann: Client, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[int] = []
    monkeypatch.setattr(estimating.bell, "ring", lambda: rung.append(1))
    PaymentAccount.objects.filter(resident=world.residents[1]).delete()
    assert "Count it, and change nothing" in shown(ann, f"{RUN}/make")
    assert "A worker counts what could be paid" in sent(ann, f"{RUN}/make")
    assert "A worker counts this run already" in sent(ann, f"{RUN}/make")
    assert rung
    assert run_estimates() == 1
    text = shown(ann, f"{RUN}/make")
    assert re.search(r"Can be paid now ¥4,000 1 refund Would wait 1 refund", text)
    assert re.search(r"No account 1 refund ¥1 The resident names one", text)
    assert "manage.py make_payouts 2017 --run 1" in text
    assert not Obligation.objects.exists()
    assert run_estimates() == 0


def test_what_cannot_be_counted_says_why(ann: Client, run: Run) -> None:
    sent(ann, f"{RUN}/make")
    Run.objects.filter(pk=run.pk).update(state=RunState.CLOSED)
    assert run_estimates() == 1
    assert Estimate.objects.get().error_code == "wrong_state"
    Run.objects.filter(pk=run.pk).update(state=RunState.PAYING)
    assert "The run is not in the state that this step starts from" in shown(ann, f"{RUN}/make")


def test_a_run_that_nobody_pays_has_no_payments(ann: Client, run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(state=RunState.APPROVED)
    for page in ("make", "reissue", "close"):
        shown(ann, f"{RUN}/{page}", status=404)
    assert ann.post(f"{RUN}/make").status_code == ann.post(f"{RUN}/close").status_code == 302
    assert ann.post(f"{RUN}/reissue", {"which": "all"}).status_code == 404
    run.refresh_from_db()
    assert (run.state, Estimate.objects.count()) == (RunState.APPROVED, 0)
    assert "No run is being paid." in shown(ann)


def test_a_run_is_closed_when_it_adds_up_and_nothing_is_open(ann: Client, run: Run) -> None:
    assert "Not prepared for payment yet : 2 refunds, ¥4,001" in shown(ann, f"{RUN}/close")
    batch = payouts.sent()
    assert "With the bank, or on the way there : 2 refunds, ¥4,001" in shown(ann, f"{RUN}/close")
    assert "neither paid nor netted nor lapsed" in sent(ann, f"{RUN}/close")
    payouts.taken(payouts.answer(batch, "0"))
    assert "This cannot be undone." in shown(ann, f"{RUN}/close")
    assert "The run is closed." in sent(ann, f"{RUN}/close")
    run.refresh_from_db()
    assert run.state == RunState.CLOSED
    assert "Paid 2 ¥4,001" in shown(ann, f"{RUN}/close")
    assert "Runs that are paid and closed Year 2017, run 1" in shown(ann)


# --- files ---


def test_two_auditors_approve_the_file_that_they_were_shown(ann: Client) -> None:
    batch = payouts.draft()
    form = {"sha256": batch.sha256, "password": PASSWORD}
    assert "2 transfers of ¥4,001" in shown(ann, of(batch))
    assert "The password is not right" in sent(ann, of(batch, "/approve"), **(form | {"password": "x"}))
    assert "another one than you were shown" in sent(ann, of(batch, "/approve"), **(form | {"sha256": "0" * 64}))
    assert "You have approved the file." in sent(ann, of(batch, "/approve"), **form)
    assert "The second approval must be another auditor's." in shown(ann, of(batch))
    assert "You have approved this file." in sent(ann, of(batch, "/approve"), **form)
    assert "is not in the state" in sent(ann, of(batch, "/submit"))
    ben = as_user(ann, "ben")
    assert "You have approved the file." in sent(ben, of(batch, "/approve"), **form)
    assert Batch.objects.get().state == "approved"
    assert "is not in the state that this starts from" in sent(ben, of(batch, "/approve"), **form)


def test_an_approval_asks_for_the_key_again_when_it_was_shown_long_ago(ann: Client) -> None:
    batch, session = payouts.draft(), ann.session
    session[RECORDS] = [record | {"at": record["at"] - 86_400} for record in session[RECORDS]]
    session.save()
    for act in ("/approve", "/submit"):
        response = ann.post(of(batch, act), {"sha256": batch.sha256, "password": PASSWORD})
        assert response.headers["Location"].startswith("/sign-in/") or "webauthn" in response.headers["Location"]
    assert not Batch.objects.get().approved_1_by


def test_an_approved_file_is_handed_to_the_bank_once_and_says_who_did(ann: Client) -> None:
    batch = payouts.approved(payouts.draft())
    assert "The file lies where the bank takes it from." in sent(ann, of(batch, "/submit"))
    text = shown(ann, of(batch))
    assert re.search(r"Handed over ann", text)
    assert re.search(r"First approval ann .*Second approval ben ", text)
    assert "Sent, no result yet: 2" in text
    assert "Hand the file over" not in text
    sent(ann, of(batch, "/submit"))
    assert AttemptEvent.objects.filter(state="sent").count() == 2
    assert "is not in the state" in sent(ann, of(batch, "/drop"))


def test_a_file_is_given_up_and_what_it_was_to_pay_is_due_again(ann: Client) -> None:
    batch = payouts.draft()
    assert "What it was to pay is due again." in sent(ann, of(batch, "/drop"))
    assert payouts.states() == ["due", "due"]
    assert re.search(r"Given up ann", shown(ann, of(batch)))


def test_a_file_that_is_too_late_for_its_day_is_not_sent(ann: Client, clock: Clock) -> None:
    batch = payouts.approved(payouts.draft())
    clock.at = clock.at.replace(hour=7)  # four in the afternoon in Tokyo
    as_user(ann, "ann")
    assert "It is too late for the day in this file." in sent(ann, of(batch, "/submit"))


def test_a_file_says_whose_account_was_changed_since_but_not_who_is_paid(ann: Client, world: World) -> None:
    batch = payouts.draft()
    assert "has another account by now" not in shown(ann, of(batch))
    payouts.name(world.residents[0], payouts.OTHER)
    text = shown(ann, of(batch))
    assert "1 payee has another account by now than in this file." in text
    assert text.count("payee has another account by now") == 2
    assert not any(str(ref) in text for ref in world.residents)


def test_the_manifest_can_be_taken_along_and_names_nobody(ann: Client, world: World) -> None:
    batch = payouts.approved(payouts.draft())
    found = ann.get(of(batch, "/manifest.json")).json()
    assert (found["transfers"], found["sum_minor"], found["sha256"]) == (2, 4_001, batch.sha256)
    assert [(one["state"], one["by"]) for one in found["history"][1:]] == [("approved_1", "ann"), ("approved_2", "ben")]
    assert not any(str(ref) in str(found) for ref in world.residents)


def test_files_are_found_by_year_run_and_state(ann: Client) -> None:
    batch = payouts.draft()
    for asked in ("", f"?year={YEAR}", "?run=1", "?state=draft", f"?year={YEAR}&run=1&state=draft"):
        assert batch.file_name in shown(ann, f"/console/payouts/batches{asked}")
    for asked in ("?year=2018", "?run=2", "?state=sent"):
        assert batch.file_name not in shown(ann, f"/console/payouts/batches{asked}")
    assert "Select a valid choice" in shown(ann, "/console/payouts/batches?state=odd")


def test_pages_take_as_many_queries_however_many_files_and_payments(ann: Client, world: World) -> None:
    batch = failed()
    many(batch, 2)
    pages = ("/console/payouts", "/console/payouts/batches", of(batch), "/console/payouts/failed",
             "/console/payouts/waiting", f"{RUN}/make", "/console/payouts/results")  # fmt: skip
    before = [queries_of(ann, page) for page in pages]
    many(batch, 240)
    assert [queries_of(ann, page) for page in pages] == before
    assert "50 files" not in shown(ann, "/console/payouts/batches")
    assert "Page 1 of 3" in shown(ann, "/console/payouts/batches")
    assert "Page 1 of 2" in shown(ann, "/console/payouts/failed")


def many(batch: Batch, count: int) -> None:
    """Sixty more batches, and so many payments, of which half failed and half wait."""
    Batch.objects.bulk_create(
        Batch(bank=batch.bank, tax_year=YEAR, run=1, transfer_date="2026-12-01", state="dropped",
              made_at=payouts.MORNING, made_by="test")
        for _ in range(60)
    )  # fmt: skip
    owed = Obligation.objects.bulk_create(
        Obligation(resident_ref=uuid4(), payee_ref=uuid4(), tax_year=YEAR, run=1, due_minor=1,
                   settled_minor=0, carried_in_minor=0, amount_minor=1, made_at=payouts.MORNING, payee_kind="parent",
                   **({"state": "failed"} if n % 2 else {"waits_for": "missing"}))
        for n in range(count)
    )  # fmt: skip
    Attempt.objects.bulk_create(
        Attempt(obligation=one, batch=batch, reference=f"{one.pk}", account_id=UUID(int=1), amount_minor=1,
                state="failed", said="failed", changed_at=payouts.MORNING)
        for one in owed if one.state == "failed"
    )  # fmt: skip


# --- lists ---


def test_a_waiting_list_has_numbers_and_its_file_has_them_too_but_no_resident(ann: Client, world: World) -> None:
    PaymentAccount.objects.filter(resident=world.residents[0]).delete()
    payouts.draft()
    owed = Obligation.objects.get(waits_for="missing")
    for asked in ("", "?reason=missing", f"?run={YEAR}-1&reason=missing"):
        assert f"Payment {owed.pk} No account ¥4,000" in shown(ann, f"/console/payouts/waiting{asked}")
    assert "Nothing waits for this." in shown(ann, "/console/payouts/waiting?reason=deceased")
    file = ann.get(f"/console/payouts/waiting.csv?run={YEAR}-1&reason=missing")
    rows = b"".join(file.streaming_content).decode("utf-8-sig").splitlines()  # type: ignore[attr-defined]
    assert rows[0] == "year,run,payment,reason,amount,owed_since"
    assert rows[1].startswith(f"{YEAR},1,{owed.pk},missing,4000,2026-11-26T09:00:00")
    assert len(rows) == 2
    assert not any(str(ref) in str(rows) for ref in world.residents)


def test_whose_a_payment_is_is_shown_for_a_purpose_that_is_on_record(ann: Client, world: World) -> None:
    failed()
    one = Obligation.objects.get(resident_ref=world.residents[0])
    path = f"/console/payouts/payments/{one.pk}"
    assert ann.get(path).headers["Location"].startswith(f"/console/purpose/{one.resident_ref}?")
    state_purpose(ann, one.resident_ref, purpose="complaint")
    text = shown(ann, path)
    assert str(one.resident_ref) in text
    assert re.search(r"Attempt 1: Failed .*In a file that waits for approval .*Sent, no result yet .*Failed", text)
    record = AccessRecord.objects.filter(what=f"payment {one.pk}").latest("pk")
    assert (record.resident_ref, record.actor, record.purpose) == (one.resident_ref, "user:ann", "complaint")
    shown(ann, f"/console/payouts/payments/{one.pk + 99}", status=404)


def test_what_failed_is_paid_again_where_another_account_was_named(ann: Client, world: World) -> None:
    failed()
    payouts.name(world.residents[1], payouts.OTHER)
    text = shown(ann, "/console/payouts/failed")
    assert "(main): 1" in text
    assert text.count("account was named since") == text.count("no other account was named") == 1
    page = shown(ann, f"{RUN}/reissue")
    assert "Failed or sent back ¥4,001 2 refunds Of these, another account was named since ¥1 1 refund" in page
    assert payouts.states() == ["failed", "failed"]
    assert "1 payment is due again." in sent(ann, f"{RUN}/reissue", which="moved")
    assert payouts.states() == ["failed", "due"]
    event = Event.objects.get(action="run.reissue")
    assert (event.actor, event.detail["again"], event.detail["to_same_account"]) == ("user:ann", 1, False)
    assert "1 payment is due again." in sent(ann, f"{RUN}/reissue", which="all")
    assert payouts.states() == ["due", "due"]
    assert "0 payments are due again." in sent(ann, f"{RUN}/reissue", which="all")
    assert Event.objects.filter(action="run.reissue").count() == 2
    assert not Batch.objects.filter(state="draft").exists()


def test_payments_to_a_resident_are_held_and_go_on_with_an_event_for_each(ann: Client, world: World) -> None:
    ref = world.residents[0]
    place = {"resident": str(ref), "reason": "seizure"}
    assert "No resident has this reference" in sent(
        ann, "/console/payouts/holds", **(place | {"resident": uuid4().hex})
    )
    assert "Nothing is paid to this resident" in sent(ann, "/console/payouts/holds", **place)
    assert "held already" in sent(ann, "/console/payouts/holds", **place)
    hold = PaymentHold.objects.get()
    assert f"Hold {hold.pk} Seizure" in shown(ann, "/console/payouts/holds")
    assert str(ref) not in shown(ann, "/console/payouts/holds")
    payouts.draft()
    assert Obligation.objects.get(resident_ref=ref).waits_for == "suspended"
    path = f"/console/payouts/holds/{hold.pk}"
    assert ann.post(path).headers["Location"].startswith(f"/console/purpose/{ref}?")
    assert not PaymentHold.objects.filter(lifted_at__isnull=False).exists()
    state_purpose(ann, ref)
    assert str(ref) in shown(ann, path)
    assert "The hold is lifted." in sent(ann, path)
    assert "This hold was lifted before." in sent(ann, path)
    assert "No payments are held." in shown(ann, "/console/payouts/holds")
    assert f"Hold {hold.pk}" in shown(ann, "/console/payouts/holds?show=all")
    events = Event.objects.filter(action__in=("payout.hold", "payout.lift")).order_by("pk")
    assert [(one.action, one.actor) for one in events] == [("payout.hold", "user:ann"), ("payout.lift", "user:ann")]
    assert AccessRecord.objects.filter(what=f"hold {hold.pk}", resident_ref=ref).exists()


# --- what the bank says ---


def test_a_result_file_is_checked_taken_and_harmless_the_second_time(ann: Client) -> None:
    batch = payouts.sent()
    content = payouts.answer(batch, "0").read_bytes()
    checked = upload(ann, content, "try")
    assert "The file was checked; nothing was changed. Results in the file 2 Taken 2" in checked
    assert not ResultFile.objects.exists()
    assert payouts.states() == ["in_flight", "in_flight"]
    assert "The results are taken." in upload(ann, content)
    assert payouts.states() == ["paid", "paid"]
    assert "This very file was taken before. Nothing was changed." in upload(ann, content)
    assert "Known already 2" in upload(ann, content + b"\x1a", name="again.txt")
    assert "Taken 2, known already 0, older 0" in shown(ann, "/console/payouts/results")
    assert Event.objects.filter(action="payout.results", actor="user:ann").count() == 2


def test_what_cannot_be_taken_of_a_file_is_told_line_by_line(ann: Client) -> None:
    batch = payouts.sent()
    lines = payouts.answer(batch, "0").read_bytes().splitlines(keepends=True)
    bent = lines[0] + lines[1][:113] + b"7" + lines[1][114:] + lines[2] + b"not a record\r\n"
    text = upload(ann, bent)
    assert "The results are taken, but for the lines below." in text
    assert "line 2 The bank's options do not name this result code." in text
    assert "line 4 The line is no record of a transfer file, or damaged." in text
    assert "the whole file The file ends too early." in text
    assert "Could not be taken 3" in shown(ann, f"/console/payouts/results/{ResultFile.objects.get().pk}")
    assert payouts.states() == ["in_flight", "paid"]


def test_a_file_that_is_none_or_too_large_is_refused(ann: Client) -> None:
    payouts.sent()
    assert "The file has no line of a transfer" in upload(ann, b"hello\r\n")
    assert "Choose a file of at most 3 MB." in upload(ann, b"x" * 3_100_000)
    assert "Choose a file of at most 3 MB." in sent(ann, "/console/payouts/results", bank="main", how="take")
    assert not ResultFile.objects.exists()


def test_with_several_banks_it_is_asked_whose_file_it_is(ann: Client) -> None:
    content = payouts.answer(payouts.sent(), "0").read_bytes()
    payouts.bank(name="other", sender_code="9999999999")
    assert "Bank main other" in shown(ann, "/console/payouts/results")
    form: dict[str, Any] = {"bank": "other", "how": "take", "file": SimpleUploadedFile("r.txt", content)}
    assert "The file has no line of a transfer of this bank's." in sent(ann, "/console/payouts/results", **form)
    assert not ResultFile.objects.exists()  # else it would be known, and not taken for the right one
    form |= {"bank": "main", "file": SimpleUploadedFile("r.txt", content)}
    sent(ann, "/console/payouts/results", **form)
    assert payouts.states() == ["paid", "paid"]


def test_how_payments_stand_takes_the_page_of_the_run_one_query(
    ann: Client, run: Run, django_assert_num_queries: Callable[..., Any]
) -> None:
    with django_assert_num_queries(1):
        assert lines_of(run) == ()
    make_obligations(YEAR, actor="test")
    with django_assert_num_queries(1):
        assert {row.code: row.refunds for row in lines_of(run) if row.refunds} == {"due": 2}
    assert ann

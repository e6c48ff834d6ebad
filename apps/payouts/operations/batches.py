"""Batches of payments: made, approved by two, handed to the bank once. What dies on the way is taken up again."""

from collections.abc import Mapping
from contextlib import nullcontext
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Final

from django.db import transaction
from django.utils import timezone

from apps.audit.officers import auditor_named
from apps.audit.operations import record_event
from apps.kernel.errors import KanpuError
from apps.kernel.progress import Seen, nothing_seen
from apps.payouts import outcomes
from apps.payouts.banking_days import earliest_transfer, is_banking_day
from apps.payouts.models import LETTER, STRIPE, ZENGIN, Attempt, Batch, Obligation, SendingBank
from apps.payouts.operations.claiming import claim_due
from apps.payouts.operations.folder import (
    check_draft,
    draft_of,
    drafts_of,
    forget_ready,
    hand_over,
    lay_ready,
    lies_ready,
)
from apps.payouts.operations.moving import move_batch, note
from apps.payouts.operations.payees import check_holds, check_payees
from apps.payouts.operations.stripe_calls import stripe_client
from apps.payouts.operations.stripe_dropping import drop_untransferred
from apps.payouts.operations.stripe_payments import begin_payments, close_sent, send_payments
from apps.payouts.operations.telling import tell_letters
from apps.payouts.operations.writing import write_for_bank, write_for_stripe
from apps.payouts.queries.readiness import NO_TRANSFER, moved_elsewhere
from apps.payouts.stripe_connect.moves import USUAL, Patience
from apps.payouts.zengin.files import MOST_SUM_YEN, Manifest
from apps.refunds.models import RunState
from apps.refunds.operations.steps import alone, locked_in

AT_ONCE: Final = 2_000
MOST_AT_STRIPE: Final = 10_000  # payments of a batch for Stripe
LETTERS_SENT_WITHIN: Final = timedelta(days=14)
State = Batch.State
NEXT: Final = {  # what is to be done with a batch in a state
    State.WRITING: "its file is not written yet, and the next make_payouts writes it",
    State.DRAFT: "two auditors approve it first, with approve_payouts",
    State.APPROVED: "two have approved it, so send it with submit_payouts, or drop it",
    State.SUBMITTED: "submit_payouts goes on with it",
    State.SENT: "the bank, Stripe or the post office has it, and only results say what became of it",
    State.DROPPED: "it was given up, and make_payouts makes another",
}


class BatchMissing(KanpuError):
    """There is no such batch."""

    code = "batch_missing"


class BankMissing(KanpuError):
    """No bank of this name is set up to pay from, or several are and none was named."""

    code = "bank_missing"


class BatchState(KanpuError):
    """The batch is not in a state for this step."""

    code = "batch_state"


class ApprovedBySame(KanpuError):
    """The same person cannot approve twice."""

    code = "approved_by_same"


class OtherFile(KanpuError):
    """What is to be approved is not what the batch's file holds."""

    code = "other_file"


class NoBankingDay(KanpuError):
    """Banks transfer nothing on that day, or the file would be too late for it."""

    code = "no_banking_day"


def make_batch(
    year: int,
    *,
    actor: str,
    number: int | None = None,
    bank: str = "",
    on: date | None = None,
    rail: str = ZENGIN,
    seen: Seen = nothing_seen,
) -> Batch | None:
    """Make a draft of what of a run can be paid now, and write its file; None when nothing can.

    `on` is the day of the transfers, by default the first that the bank can keep; Stripe pays when it is told. A draft
    whose writing died is written first. Opens accounts, so it may not run in a transaction. Raises RunMissing,
    WrongState, StepRunning, BankMissing, NoBankingDay and what `open_accounts` raises.
    """
    with alone(year):
        payer = None if rail == STRIPE else sending_bank(bank)
        write = write_for_stripe if rail == STRIPE else write_for_bank
        while batch := _begin(year, number, payer, on, actor):
            manifest, refused = write(batch, actor, seen)
            if made := _finish(batch, manifest, refused, actor):
                return made  # else all that it had waits now, and others are next
        return None


def sending_bank(name: str = "") -> SendingBank:
    """The bank of this name, or the only one there is. Raises BankMissing."""
    found = list(SendingBank.objects.filter(name=name) if name else SendingBank.objects.all()[:2])
    if len(found) != 1:
        raise BankMissing(f"There is no one bank {name!r} to pay from. Set it up, or name one with --bank.")
    return found[0]


@transaction.atomic
def _begin(year: int, number: int | None, bank: SendingBank | None, on: date | None, actor: str) -> Batch | None:
    """A batch with its attempts: the one whose writing died, or a new one."""
    run = locked_in(year, RunState.PAYING, number)
    now = timezone.now()
    rail = ZENGIN if bank else STRIPE
    begun = Batch.objects.filter(tax_year=year, run=run.number, rail=rail, bank=bank, state=State.WRITING).first()
    if begun:
        return begun
    batch = Batch.objects.create(
        rail=rail, bank=bank, tax_year=year, run=run.number, transfer_date=_day(bank, on, now),
        made_at=now, made_by=actor,
    )  # fmt: skip
    most = bank.most_transfers if bank else MOST_AT_STRIPE
    if claim_due(run, batch, most=most, most_minor=MOST_SUM_YEN, at=now, actor=actor):
        return batch
    batch.delete()
    return None


def _day(bank: SendingBank | None, on: date | None, now: datetime) -> date:
    if bank is None:
        if on is not None:
            raise NoBankingDay("Stripe pays when it is told, and no day can be named. Leave --on out.")
        return timezone.localdate(now)
    first = earliest_transfer(timezone.localtime(now), cutoff=bank.cutoff_time, lead_days=bank.lead_days)
    if on is None:
        return first
    if on < first or not is_banking_day(on):
        raise NoBankingDay(f"{on} is no banking day, or too near: the first on which {bank} can pay is {first}.")
    return on


@transaction.atomic
def _finish(batch: Batch, manifest: Manifest | None, refused: dict[int, str], actor: str) -> Batch | None:
    """Keep what the file holds; what banks do not take goes back to the waiting."""
    held, now = _locked(batch.pk, State.WRITING), timezone.now()
    dropped = list(Attempt.objects.filter(pk__in=refused))
    for one in dropped:
        one.state = outcomes.DROPPED
    Attempt.objects.filter(pk__in=refused).update(state=outcomes.DROPPED, changed_at=now)
    note(dropped, at=now, actor=actor, text=NO_TRANSFER)
    Obligation.objects.filter(attempts__in=list(refused)).update(
        state=Obligation.State.DUE, waits_for=Obligation.Wait.UNUSABLE
    )
    if manifest is None:
        held.state = State.DROPPED
    else:
        held.state, held.transfers, held.sum_minor = State.DRAFT, manifest.transfers, manifest.sum_yen
        held.sha256 = manifest.sha256
    held.save()
    _record(
        held, "payout.make", actor, {"transfers": held.transfers, "sum_minor": held.sum_minor, "refused": len(refused)}
    )
    return held if manifest else None


@transaction.atomic
def approve_batch(pk: int, *, by: str, sha256: str, actor: str) -> Batch:
    """Approve a batch's file as the auditor named `by`, by its SHA-256; with the second one it may be sent.

    `actor` is who gives the command. Raises NotAnAuditor, BatchMissing, BatchState, OtherFile, FileChanged,
    PayeeChanged, PaymentHeld and ApprovedBySame.
    """
    name, now, batch = auditor_named(by).username, timezone.now(), _locked(pk, State.DRAFT)
    if not sha256:
        raise OtherFile(f"Name the SHA-256 of the file that you have read: sha256sum {draft_of(batch)}")
    if sha256 != batch.sha256:
        raise OtherFile(f"The file of {batch} has another SHA-256 than the one to be approved. Look at it again.")
    check_draft(batch)
    check_payees(batch, at=now)
    check_holds(batch)
    if name == batch.approved_1_by:
        raise ApprovedBySame(f"{name} has approved {batch}. The second must be another auditor.")
    if not batch.approved_1_by:
        batch.approved_1_by, batch.approved_1_at = name, now
    else:
        batch.approved_2_by, batch.approved_2_at, batch.state = name, now, State.APPROVED
        move_batch(batch, [outcomes.DRAFT], outcomes.APPROVED, at=now, actor=name)
    batch.save()
    _record(batch, "payout.approve", actor, {"by": name, "sha256": sha256})
    return batch


def submit_batch(pk: int, *, actor: str, patience: Patience = USUAL, seen: Seen = nothing_seen) -> tuple[Batch, int]:
    """Hand an approved batch to the bank or to Stripe, once. Returns it, and how many payees have another account now.

    The file lies ready under another name before the batch is said to be submitted, and gets its own only after: so
    a file that lies ready was never the bank's. One that does not may be, and is never laid there again. With Stripe it
    is payment by payment, and who waits for something is submitted still: again goes on with them. Raises BatchMissing,
    BatchState, FileChanged, PaymentHeld, NoBankingDay when it is too late for the day in the file, and what
    `stripe_client` raises.
    """
    moved = _intend(pk, actor)
    batch = Batch.objects.select_related("bank").get(pk=pk)
    if batch.rail == STRIPE:
        send_payments(batch, actor=actor, patience=patience, seen=seen)
        return Batch.objects.get(pk=pk), moved
    with transaction.atomic():
        batch, now = _locked(pk, State.SUBMITTED, State.SENT), timezone.now()
        if lies_ready(batch):  # it may have lain for days since whoever laid it there died
            _check_day(batch, now)
        hand_over(batch)
        if batch.state == State.SUBMITTED:
            move_batch(batch, [outcomes.SUBMITTED], outcomes.SENT, at=now, actor=actor)
            batch.state = State.SENT
            batch.save(update_fields=["state"])
            _record(batch, "payout.send", actor, {"sha256": batch.sha256})
            if batch.rail == LETTER:
                tell_letters(batch, at=now)
    _forget_drafts(batch)
    return batch, moved


@transaction.atomic
def _intend(pk: int, actor: str) -> int:
    """Lay the file ready and say that it is submitted, unless that was done before."""
    batch, now = _locked(pk, State.APPROVED, State.SUBMITTED, State.SENT), timezone.now()
    if batch.state != State.APPROVED:
        return 0
    check_draft(batch)
    check_holds(batch)
    if batch.rail == STRIPE:
        stripe_client()
    else:
        _check_day(batch, now)
        lay_ready(batch)
    move_batch(batch, [outcomes.APPROVED], outcomes.SUBMITTED, at=now, actor=actor)
    if batch.rail == STRIPE:
        begin_payments(batch)
    batch.state, batch.submitted_at, batch.submitted_by = State.SUBMITTED, now, actor
    batch.save()
    moved = 0 if batch.rail == LETTER else _tell_moved(batch, now, actor)
    _record(batch, "payout.submit", actor, {"sha256": batch.sha256, "accounts_changed": moved})
    return moved


def _check_day(batch: Batch, now: datetime) -> None:
    if batch.rail == LETTER:
        if timezone.localdate(now) > batch.transfer_date + LETTERS_SENT_WITHIN:
            raise NoBankingDay(f"The letters are of {batch.transfer_date}: drop the batch, and have them made again.")
    else:
        _day(_bank_of(batch), batch.transfer_date, now)


def _forget_drafts(batch: Batch) -> None:
    for path in drafts_of(batch):
        path.unlink(missing_ok=True)


def _tell_moved(batch: Batch, now: datetime, actor: str) -> int:
    """Note of each attempt whose payee has another account by now that the one of the approval is paid."""
    rows = Attempt.objects.filter(batch=batch, state=outcomes.SUBMITTED).select_related("obligation").order_by("pk")
    found, attempts = 0, rows.iterator(chunk_size=AT_ONCE)
    while some := list(islice(attempts, AT_ONCE)):
        moved = moved_elsewhere(some, at=now)
        note(moved, at=now, actor=actor, text="paid to the account of the approval: it was changed since")
        found += len(moved)
    return found


def drop_batch(pk: int, *, actor: str) -> Batch:
    """Give up a batch that is not with the bank: what it was to pay is due again.

    One that is submitted lies ready still, so the bank never had it; of one that Stripe has, what no money was moved
    for is given up. Raises BatchMissing, BatchState, and StepRunning while its file is being written.
    """
    at_stripe = Batch.objects.filter(pk=pk, rail=STRIPE, state=State.SUBMITTED).first()
    if at_stripe:
        return _drop_at_stripe(at_stripe, actor)
    unwritten = Batch.objects.filter(pk=pk, state=State.WRITING).first()
    with alone(unwritten.tax_year) if unwritten else nullcontext():
        batch = _drop(pk, actor)
    forget_ready(batch)
    return batch


def _drop_at_stripe(batch: Batch, actor: str) -> Batch:
    if not drop_untransferred(batch, actor=actor):
        raise BatchState(f"Stripe has all payments of {batch}, or may have: only it says what becomes of them.")
    close_sent(actor=actor)
    after = Batch.objects.get(pk=batch.pk)
    if after.state != State.SUBMITTED:
        _forget_drafts(after)
    return after


@transaction.atomic
def _drop(pk: int, actor: str) -> Batch:
    batch, now = _locked(pk, State.WRITING, State.DRAFT, State.APPROVED, State.SUBMITTED), timezone.now()
    if batch.state == State.SUBMITTED and not lies_ready(batch):
        raise BatchState(f"{batch} is submitted, and the bank may have it: only its results say what became of it.")
    Obligation.objects.filter(attempts__batch=batch, attempts__state__in=outcomes.IN_FLIGHT).update(
        state=Obligation.State.DUE
    )
    move_batch(batch, outcomes.IN_FLIGHT, outcomes.DROPPED, at=now, actor=actor)
    batch.state = State.DROPPED
    batch.save(update_fields=["state"])
    _record(batch, "payout.drop", actor, {})
    _forget_drafts(batch)
    return batch


def _locked(pk: int, *states: State) -> Batch:
    batch = Batch.objects.select_for_update(of=("self",)).select_related("bank").filter(pk=pk).first()
    if batch is None:
        raise BatchMissing(f"There is no batch {pk}.")
    if states and batch.state not in states:
        raise BatchState(f"{batch} is {batch.state}: {NEXT[State(batch.state)]}.")
    return batch


def _bank_of(batch: Batch) -> SendingBank:
    assert batch.bank is not None  # noqa: S101 - by constraint, of this rail
    return batch.bank


def _record(batch: Batch, action: str, actor: str, detail: Mapping[str, object]) -> None:
    record_event(at=timezone.now(), actor=actor, action=action, subject=f"batch:{batch.pk}", detail=detail)

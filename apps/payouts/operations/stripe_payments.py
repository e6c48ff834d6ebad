"""Payments through Stripe, step by step: connected account, transfer, payout, what became of it, money taken back.

A step is taken for some payments at once: their keys are on record, Stripe is asked, the answers are kept with what
follows from them. What dies in between is taken up with the same keys.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from threading import Lock
from typing import Any, Final, NamedTuple

import stripe
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Min
from django.utils import timezone

from apps.audit.operations import record_event
from apps.kernel.errors import KanpuError
from apps.kernel.progress import Seen, nothing_seen
from apps.payouts import outcomes
from apps.payouts.models import Attempt, Batch, StripeAccount, StripeCall, StripeEvent, StripePayment
from apps.payouts.operations.folder import FileChanged, check_draft, draft_of
from apps.payouts.operations.moving import note
from apps.payouts.operations.results import Taken, Word, take_words
from apps.payouts.operations.stripe_calls import (
    Turn,
    Wish,
    at_the_same_time,
    keep_answers,
    one_at_a_time,
    stripe_client,
    take_turns,
    turns,
)
from apps.payouts.operations.stripe_forgetting import forget_erased
from apps.payouts.stripe_connect import asking
from apps.payouts.stripe_connect.answers import made
from apps.payouts.stripe_connect.manifest import Instruction, read_manifest
from apps.payouts.stripe_connect.moves import USUAL, Answer, Fate, Patience, Standing, Step, after

logger = logging.getLogger(__name__)
AT_ONCE: Final = 100
FOREIGN_AFTER: Final = timedelta(days=7)  # an event of no payout of ours
UNSENT: Final = (Step.ACCOUNT, Step.TRANSFER, Step.PAYOUT)
BEGIN: Final = """
INSERT INTO payouts_stripepayment (attempt_id, step, next_at, status, refusal)
SELECT id, 'account', %(at)s, '', '' FROM payouts_attempt WHERE batch_id = %(batch)s AND state = 'submitted'
ON CONFLICT DO NOTHING
"""
# Payments that a webhook told of are asked after now. Those that were given up watching as well: late, but it failed.
WAKE: Final = """
WITH told AS (
    UPDATE payouts_stripeevent e SET taken_at = %(at)s FROM payouts_stripecall c
    WHERE e.taken_at IS NULL AND c.step = 'payout' AND c.answer = 'made' AND c.remote_id = e.payout_id
    RETURNING c.subject
)
UPDATE payouts_stripepayment p SET next_at = %(at)s, step = 'ask'
FROM payouts_attempt a WHERE a.reference IN (SELECT subject FROM told) AND a.id = p.attempt_id
    AND (p.step = 'ask' OR (p.step = 'over' AND p.status = 'paid'))
    AND EXISTS (SELECT FROM payouts_stripeaccount c WHERE c.account_id = a.account_id)
"""
Instructions = Mapping[str, Instruction]


class Work(NamedTuple):
    """What a step needs: Stripe, who does it, how patiently, and the approved accounts where they are at hand.

    `taken` is told for how many payments a step was taken.
    """

    client: stripe.StripeClient
    actor: str
    patience: Patience
    accounts: Instructions
    taken: Callable[[int], None] = lambda _count: None


class Done(NamedTuple):
    """A payment, and what Stripe answered to its step."""

    payment: StripePayment
    turn: Turn | None
    answer: Answer


def begin_payments(batch: Batch) -> None:
    """Put all payments of a submitted batch before Stripe, in the caller's transaction. Nothing is asked yet."""
    with connection.cursor() as cursor:
        cursor.execute(BEGIN, {"at": timezone.now(), "batch": batch.pk})


def send_payments(batch: Batch, *, actor: str, patience: Patience = USUAL, seen: Seen = nothing_seen) -> None:
    """Pay a submitted batch as far as it goes now; the accounts are those of the approved file.

    `seen` is told how many steps were taken, of three a payment. Raises FileChanged, and what `stripe_client` raises.
    """
    client, done = stripe_client(), 0

    def taken(count: int) -> None:
        nonlocal done
        done += count
        seen(done, len(UNSENT) * batch.transfers)

    waiting = StripePayment.objects.filter(attempt__batch=batch, step=Step.ACCOUNT)
    if waiting.exists():
        accounts = {one.account_id: one for one in _approved(batch)}
        _all(Step.ACCOUNT, Work(client, actor, patience, accounts, taken), batch)
    for step in (Step.TRANSFER, Step.PAYOUT):
        _all(step, Work(client, actor, patience, {}, taken), batch)
    close_sent(actor=actor)
    if not waiting.exists():
        draft_of(batch).unlink(missing_ok=True)


def _approved(batch: Batch) -> list[Instruction]:
    """The payments of the approved file. Raises FileChanged if they are not those that the attempts would make."""
    check_draft(batch)
    with draft_of(batch).open("rb") as file:
        approved = list(read_manifest(file))
    attempts = Attempt.objects.filter(batch=batch).exclude(state=outcomes.DROPPED)
    rows = attempts.values_list("reference", "amount_minor", "account_id")
    if {(one.reference, one.amount, one.account_id) for one in approved} != {(*row[:2], str(row[2])) for row in rows}:
        raise FileChanged(f"The payments of {batch} are not those that were approved. Nothing is sent: look into it.")
    return approved


def follow_payments(*, actor: str, patience: Patience = USUAL) -> int:
    """Go on with all payments that Stripe knows the account of, and ask what became of payouts. Returns how many.

    Whom a webhook told of is asked after now, the others from time to time: a lost webhook loses nothing. Raises what
    `stripe_client` raises.
    """
    work, done = Work(stripe_client(), actor, patience, {}), 0
    with one_at_a_time():
        _wake()
    for step in (Step.TRANSFER, Step.PAYOUT, Step.ASK, Step.REVERSAL):
        done += _all(step, work, None)
    with one_at_a_time():
        forget_erased(work.client)
    close_sent(actor=actor)
    return done


def follow_if_set_up(*, actor: str) -> int:
    """The same where a key is set; nothing anywhere else."""
    return follow_payments(actor=actor) if settings.KANPU_STRIPE_KEY else 0


def close_sent(*, actor: str) -> None:
    """Batches all of whose payments Stripe has, or refused, are sent."""
    unsent = StripePayment.objects.filter(step__in=UNSENT).values("attempt__batch")
    with transaction.atomic():
        sent = Batch.objects.filter(rail="stripe", state=Batch.State.SUBMITTED).exclude(pk__in=unsent)
        for batch in sent.select_for_update():
            batch.state = Batch.State.SENT
            batch.save(update_fields=["state"])
            subject, detail = f"batch:{batch.pk}", {"sha256": batch.sha256}
            record_event(at=timezone.now(), actor=actor, action="payout.send", subject=subject, detail=detail,
                         before={"state": Batch.State.SUBMITTED}, after={"state": batch.state})  # fmt: skip


def _all(step: Step, work: Work, batch: Batch | None) -> int:
    """Take a step for all payments that are due for it now. Returns for how many."""
    now, done = timezone.now(), 0
    due = StripePayment.objects.filter(step=step, next_at__lte=now).select_related("attempt").order_by("next_at", "pk")
    due = due.filter(attempt__batch=batch) if batch else due
    while True:
        with one_at_a_time():
            payments = list(due[:AT_ONCE])
            if not payments:
                return done
            settle(STEPS[step](payments, work), work)
            done += len(payments)
            work.taken(len(payments))


def _asked(payments: Sequence[StripePayment], wishes: Sequence[Wish], work: Work) -> list[Done]:
    chosen = turns(wishes, now=timezone.now(), patience=work.patience)
    answers = take_turns(chosen)
    return [Done(*each) for each in zip(payments, chosen, answers, strict=True)]


def _accounts(payments: Sequence[StripePayment], work: Work) -> list[Done]:
    """Connected accounts: the one that there is for the same account of the payee, or a new one."""
    known = StripeAccount.objects.in_bulk({one.attempt.account_id for one in payments})
    needed = {one.attempt.account_id: one for one in payments if one.attempt.account_id not in known}
    looked_up = _listed_once(work.client, {str(account_id) for account_id in needed})
    wishes = [_account_wish(work, str(account_id), looked_up) for account_id in needed]
    found = {done.payment.attempt.account_id: done for done in _asked(list(needed.values()), wishes, work)}
    there = Answer(Fate.MADE)
    return [
        found[one.attempt.account_id]._replace(payment=one)
        if one.attempt.account_id in found
        else Done(one, None, there)
        for one in payments
    ]


def _listed_once(client: stripe.StripeClient, account_ids: set[str]) -> Callable[[], Mapping[str, Any]]:
    """What there is at Stripe for these accounts, whoever made it: all accounts there are listed for it, once."""
    calls = StripeCall.objects.filter(subject__in=account_ids, step=Step.ACCOUNT, answer="")
    since = calls.aggregate(since=Min("at"))["since"] or timezone.now()
    listing, found = Lock(), list[dict[str, Any]]()

    def looked_up() -> Mapping[str, Any]:
        with listing:
            if not found:
                found.append(asking.find_accounts(client, account_ids, since))
        return found[0]

    return looked_up


def _account_wish(work: Work, account_id: str, looked_up: Callable[[], Mapping[str, Any]]) -> Wish:
    to = work.accounts[account_id]
    return Wish(
        account_id,
        Step.ACCOUNT,
        lambda key: asking.make_account(work.client, key, to),
        lambda _since: looked_up().get(account_id),
    )


def _transfers(payments: Sequence[StripePayment], work: Work) -> list[Done]:
    accounts = StripeAccount.objects.in_bulk({one.attempt.account_id for one in payments})

    def wish(attempt: Attempt) -> Wish:
        reference, account = attempt.reference, accounts[attempt.account_id].remote_id
        return Wish(
            reference,
            Step.TRANSFER,
            lambda key: asking.make_transfer(
                work.client, key, reference=reference, amount=attempt.amount_minor, account=account
            ),
            lambda _since: asking.find_transfer(work.client, reference=reference),
        )

    return _asked(payments, [wish(one.attempt) for one in payments], work)


def _payouts(payments: Sequence[StripePayment], work: Work) -> list[Done]:
    accounts = StripeAccount.objects.in_bulk({one.attempt.account_id for one in payments})

    def wish(attempt: Attempt) -> Wish:
        reference, at = attempt.reference, accounts[attempt.account_id]
        return Wish(
            reference,
            Step.PAYOUT,
            lambda key: asking.make_payout(
                work.client, key, reference=reference, amount=attempt.amount_minor, account=at.remote_id,
                external=at.external_id,
            ),
            lambda since: asking.find_payout(work.client, reference=reference, account=at.remote_id, since=since),
        )  # fmt: skip

    return _asked(payments, [wish(one.attempt) for one in payments], work)


def _reversals(payments: Sequence[StripePayment], work: Work) -> list[Done]:
    transfers = _made(payments, Step.TRANSFER)

    def wish(attempt: Attempt) -> Wish:
        reference, transfer = attempt.reference, transfers[attempt.reference]
        return Wish(
            reference,
            Step.REVERSAL,
            lambda key: asking.make_reversal(
                work.client, key, reference=reference, amount=attempt.amount_minor, transfer=transfer
            ),
            lambda _since: asking.find_reversal(work.client, reference=reference, transfer=transfer),
        )

    return _asked(payments, [wish(one.attempt) for one in payments], work)


def _questions(payments: Sequence[StripePayment], work: Work) -> list[Done]:
    """What became of payouts. Whoever was watched long enough is not asked after any more."""
    accounts = StripeAccount.objects.in_bulk({one.attempt.account_id for one in payments})
    payouts = _made(payments, Step.PAYOUT)

    def question(attempt: Attempt) -> Callable[[], Answer]:
        account, payout = accounts[attempt.account_id].remote_id, payouts[attempt.reference]
        return lambda: made(asking.ask_payout(work.client, payout=payout, account=account))

    answers = at_the_same_time([question(one.attempt) for one in payments])
    return [Done(one, None, answer) for one, answer in zip(payments, answers, strict=True)]


def _made(payments: Sequence[StripePayment], step: Step) -> dict[str, str]:
    references = [one.attempt.reference for one in payments]
    calls = StripeCall.objects.filter(subject__in=references, step=step, answer="made")
    return dict(calls.values_list("subject", "remote_id"))


STEPS: Final[dict[Step, Callable[[Sequence[StripePayment], Work], list[Done]]]] = {
    Step.ACCOUNT: _accounts,
    Step.TRANSFER: _transfers,
    Step.PAYOUT: _payouts,
    Step.ASK: _questions,
    Step.REVERSAL: _reversals,
}


def settle(done: Sequence[Done], work: Work) -> None:
    """Keep the answers with what follows from them, in one transaction. One that cannot be kept stops no other."""
    try:
        with transaction.atomic():
            _settle(done, work)
    except KanpuError as error:
        if len(done) > 1:
            for one in done:
                settle([one], work)
            return
        logger.error("%s: what Stripe says cannot be taken: %s", done[0].payment.attempt, error)  # noqa: TRY400
        again = timezone.now() + work.patience.ask_every
        StripePayment.objects.filter(pk=done[0].payment.pk).update(next_at=again)


def _settle(done: Sequence[Done], work: Work) -> None:
    now = timezone.now()
    taken = {one.turn.call.pk: (one.turn, one.answer) for one in done if one.turn}
    keep_answers(list(taken.values()), now=now, patience=work.patience)
    _keep_accounts(done, now)
    moved = [(one.payment, _after(one, now, work.patience)) for one in done]
    _tell_sent([payment.attempt for payment, to in moved if (payment.step, to.step) == (Step.PAYOUT, Step.ASK)], work)
    words = [
        Word(0, payment.attempt.reference, payment.attempt.amount_minor, to.word, to.refusal[:40])
        for payment, to in moved
        if to.word
    ]
    told = Taken()
    take_words(words, None, told, at=now, actor=work.actor)
    for problem in told.problems:
        logger.error("Stripe: %s", problem.why)
    StripePayment.objects.bulk_update(
        [_moved(payment, to) for payment, to in moved], ["step", "next_at", "status", "refusal"], batch_size=1_000
    )


def _after(one: Done, now: Any, patience: Patience) -> Standing:
    payment, attempt = one.payment, one.payment.attempt
    before = Standing(Step(payment.step), payment.next_at, payment.status, payment.refusal)
    to = after(before, one.answer, said=attempt.said, now=now, patience=patience)
    was_watched = to.step == Step.ASK and attempt.said == outcomes.PAID and not to.word
    if was_watched and now > attempt.changed_at + patience.watch_for:
        return to._replace(step=Step.OVER)
    return to


def _moved(payment: StripePayment, to: Standing) -> StripePayment:
    return StripePayment(
        attempt_id=payment.pk, step=to.step, next_at=to.next_at, status=to.status, refusal=to.refusal[:60]
    )


def _keep_accounts(done: Sequence[Done], now: Any) -> None:
    new = {
        one.payment.attempt.account_id: one.answer
        for one in done
        if one.payment.step == Step.ACCOUNT and one.turn and one.answer.fate == Fate.MADE
    }
    StripeAccount.objects.bulk_create(
        (
            StripeAccount(account_id=pk, remote_id=answer.remote_id, external_id=answer.external_id, made_at=now)
            for pk, answer in new.items()
        ),
        ignore_conflicts=True,
    )


def _tell_sent(attempts: Sequence[Attempt], work: Work) -> None:
    now = timezone.now()
    for one in attempts:
        one.state = outcomes.SENT
    Attempt.objects.filter(pk__in=[one.pk for one in attempts]).update(state=outcomes.SENT, changed_at=now)
    note(attempts, at=now, actor=work.actor)


def _wake() -> None:
    """Ask now after those whom webhooks told of. What is of no payout of ours is left after some days."""
    now = timezone.now()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(WAKE, {"at": now})
        StripeEvent.objects.filter(taken_at=None, received_at__lt=now - FOREIGN_AFTER).update(taken_at=now)

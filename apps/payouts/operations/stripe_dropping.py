"""Giving up payments that Stripe does not take: what can have moved no money is due again, over whichever rail."""

from django.db import transaction
from django.utils import timezone

from apps.audit.operations import record_event
from apps.payouts import outcomes
from apps.payouts.models import Attempt, Batch, Obligation, StripeCall, StripePayment
from apps.payouts.operations.moving import note
from apps.payouts.operations.stripe_calls import one_at_a_time
from apps.payouts.stripe_connect.moves import Step


def drop_untransferred(batch: Batch, *, actor: str) -> int:
    """Give up the payments of a submitted batch to which Stripe has transferred nothing, and surely never will.

    A call whose answer is not known may have moved money: its payment stays. Nobody calls Stripe meanwhile. Returns how
    many are due again.
    """
    with one_at_a_time(), transaction.atomic():
        now, held = timezone.now(), Batch.objects.select_for_update().get(pk=batch.pk)
        maybe = StripeCall.objects.filter(step=Step.TRANSFER).exclude(answer="nothing").values("subject")
        unsent = StripePayment.objects.filter(attempt__batch=held, step__in=(Step.ACCOUNT, Step.TRANSFER))
        rows = Attempt.objects.filter(at_stripe__in=unsent, state=outcomes.SUBMITTED).exclude(reference__in=maybe)
        attempts = list(rows.select_for_update(of=("self",)).order_by("pk"))
        for one in attempts:
            one.state, one.changed_at = outcomes.DROPPED, now
        Attempt.objects.bulk_update(attempts, ["state", "changed_at"], batch_size=1_000)
        note(attempts, at=now, actor=actor, text="Stripe transferred nothing")
        StripePayment.objects.filter(attempt__in=attempts).update(step=Step.OVER)
        Obligation.objects.filter(attempts__in=attempts).update(state=Obligation.State.DUE)
        before = held.state
        if not Attempt.objects.filter(batch=held).exclude(state=outcomes.DROPPED).exists():
            held.state = Batch.State.DROPPED
            held.save(update_fields=["state"])
        record_event(
            at=now, actor=actor, action="payout.drop", subject=f"batch:{held.pk}", detail={"payments": len(attempts)},
            before={"state": before}, after={"state": held.state},
        )  # fmt: skip
    return len(attempts)

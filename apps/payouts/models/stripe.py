"""What was asked of Stripe for an attempt, with which idempotency keys, and what Stripe told by webhook."""

import pgtrigger
from django.db import models
from django.db.models import Q

from apps.payouts.models.payments import Attempt
from apps.payouts.stripe_connect.moves import Step

STATUSES = ("", "pending", "in_transit", "paid", "failed", "canceled")  # in the order in which they may come
ONLY_RISES = """
IF array_position(ranks, NEW.status::text) < array_position(ranks, OLD.status::text) THEN
    RAISE EXCEPTION 'A payout that was % is not % again.', OLD.status, NEW.status;
END IF;
RETURN NEW;
"""


class StripeAccount(models.Model):
    """A connected account at Stripe that pays out to one account of a payee, for good: another account is another row.

    `account_id` is the row of the payment account, and stands in the connected account's metadata. With `forget_at` the
    payee was erased: the connected account is deleted at Stripe once nothing is on the way any more.
    """

    account_id = models.UUIDField(primary_key=True)
    remote_id = models.CharField(max_length=60, unique=True)
    external_id = models.CharField(max_length=60, help_text="The bank account, as Stripe calls it")
    made_at = models.DateTimeField()
    forget_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="stripe_account_known", condition=~Q(remote_id="") & ~Q(external_id="")),
        ]

    def __str__(self) -> str:
        return self.remote_id


class StripePayment(models.Model):
    """How far Stripe is with an attempt: which step is next, and not before when.

    `status` is the payout's as it was asked for last; `refusal` is why money is taken back from the connected account,
    or was never sent there.
    """

    attempt = models.OneToOneField(Attempt, on_delete=models.PROTECT, primary_key=True, related_name="at_stripe")
    step = models.CharField(max_length=8, choices=[(step, step) for step in Step])
    next_at = models.DateTimeField()
    status = models.CharField(max_length=10, blank=True)
    refusal = models.CharField(max_length=60, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="stripe_step", condition=Q(step__in=[str(step) for step in Step])),
            models.CheckConstraint(
                name="stripe_payout_status",
                condition=Q(status__in=STATUSES),
            ),
            models.CheckConstraint(
                name="stripe_takes_back_for_a_reason", condition=~Q(step="reversal") | ~Q(refusal="")
            ),
        ]
        indexes = [
            models.Index(fields=["step", "next_at"], condition=~Q(step="over"), name="stripe_payments_due"),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="stripe_status_only_rises", when=pgtrigger.Before, operation=pgtrigger.Update,
                declare=[("ranks", f"text[] := ARRAY{list(STATUSES)}")], func=ONLY_RISES,
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.attempt_id} {self.step}"


class StripeCall(models.Model):
    """That something was asked of Stripe with an idempotency key: on record before it is asked.

    `subject` is the attempt's reference, or the payment account's row for its connected account. At most one call of a
    step may have made something: another key needs that of the one before it is known that it made nothing. After
    `search_at` Stripe is asked whether something is there, and the call is not repeated before.
    """

    key = models.UUIDField(primary_key=True)
    subject = models.CharField(max_length=36)
    step = models.CharField(max_length=8)
    at = models.DateTimeField()
    search_at = models.DateTimeField(null=True)
    answer = models.CharField(max_length=7, blank=True)
    remote_id = models.CharField(max_length=60, blank=True)
    code = models.CharField(max_length=60, blank=True, help_text="Stripe's error, the last one")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["subject", "step"], condition=~Q(answer="nothing"), name="made_once_at_stripe"
            ),
            models.UniqueConstraint(fields=["remote_id"], condition=~Q(remote_id=""), name="made_by_one_call"),
            models.CheckConstraint(
                name="stripe_call_step", condition=Q(step__in=("account", "transfer", "payout", "reversal"))
            ),
            models.CheckConstraint(
                name="stripe_call_answer",
                condition=Q(answer__in=("", "nothing"), remote_id="") | (Q(answer="made") & ~Q(remote_id="")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.step} of {self.subject}"


class StripeEvent(models.Model):
    """A webhook's event, once: that a payout of a connected account may have changed. What it is now is asked for."""

    event_id = models.CharField(max_length=60, primary_key=True)
    kind = models.CharField(max_length=40)
    payout_id = models.CharField(max_length=60)
    received_at = models.DateTimeField()
    taken_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["payout_id"], condition=Q(taken_at=None), name="stripe_events_waiting"),
        ]

    def __str__(self) -> str:
        return f"{self.event_id} {self.kind}"

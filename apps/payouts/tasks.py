"""Celery tasks: they carry nothing, they say that there is work."""

from celery import shared_task

from apps.payouts.operations.estimating import run_estimates
from apps.payouts.operations.stripe_payments import follow_if_set_up


@shared_task(name="payouts.estimates")
def estimates() -> int:
    """Count what could be paid of the runs for which auditors asked."""
    return run_estimates()


@shared_task(name="payouts.stripe")
def stripe() -> int:
    """Go on with payments at Stripe, and ask what became of them."""
    return follow_if_set_up(actor="clock")

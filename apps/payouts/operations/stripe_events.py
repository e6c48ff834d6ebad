"""Stripe's webhooks: heard, kept once, and believed in nothing but that there is something to ask."""

from datetime import datetime

import stripe
from django.conf import settings
from django.db import transaction

from apps.kernel.errors import KanpuError
from apps.payouts.models import StripeEvent
from apps.purchases.doorbell import Doorbell

bell = Doorbell("payouts.stripe")


class WebhookRefused(KanpuError):
    """What came is not signed by Stripe for this address, or is too old."""

    code = "webhook_refused"


def hear(body: bytes, signature: str, *, at: datetime) -> bool:
    """Keep an event of a payout, once however often it comes. Returns whether it is new. Raises WebhookRefused."""
    secret = settings.KANPU_STRIPE_WEBHOOK_SECRET
    if not secret:
        raise WebhookRefused("No secret is set for Stripe's webhooks: set KANPU_STRIPE_WEBHOOK_SECRET.")
    try:
        event = stripe.Webhook.construct_event(body, signature, secret)
        kind, event_id, payout_id = event["type"], event["id"], event["data"]["object"]["id"]
    except (stripe.SignatureVerificationError, ValueError, KeyError, TypeError) as error:
        raise WebhookRefused(f"This is no event that Stripe signed: {error}") from error
    if not kind.startswith("payout."):
        return False
    with transaction.atomic():
        kept = StripeEvent(event_id=event_id, kind=kind[:40], payout_id=payout_id, received_at=at)
        known = StripeEvent.objects.filter(pk=event_id).exists()
        StripeEvent.objects.bulk_create([kept], ignore_conflicts=True)
    bell.ring()
    return not known

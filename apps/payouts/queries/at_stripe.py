"""How payments stand at Stripe."""

from typing import Any

from django.db.models import Count

from apps.payouts.models import StripeCall, StripePayment


def at_stripe() -> dict[str, Any]:
    """How many payments are before which step, and what calls that must be made again were answered: two queries."""
    open_calls = StripeCall.objects.filter(answer="").exclude(code="")
    return {
        "payments": dict(StripePayment.objects.values_list("step").annotate(count=Count("*")).order_by("step")),
        "last_errors": dict(open_calls.values_list("code").annotate(count=Count("*")).order_by("code")),
    }

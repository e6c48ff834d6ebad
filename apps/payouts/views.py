"""Where Stripe tells that something changed."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from apps.payouts.operations.stripe_events import WebhookRefused, hear


@csrf_exempt  # Stripe signs what it sends
@require_POST
def stripe_webhook(request: HttpRequest) -> HttpResponse:
    """Keep an event whose signature is right: 200, whether it is new or not. Anything else is 400."""
    try:
        hear(request.body, request.headers.get("Stripe-Signature", ""), at=timezone.now())
    except WebhookRefused:
        return HttpResponse(status=400)
    return HttpResponse(status=200)

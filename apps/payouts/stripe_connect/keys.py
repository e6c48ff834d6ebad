"""Which of Stripe's keys may be used where. Pure."""

from typing import Final

import stripe

from apps.kernel.errors import KanpuError

STRIPE: Final = "https://api.stripe.com"
LIVE: Final = ("sk_live_", "rk_live_")
TEST: Final = ("sk_test_", "rk_test_")
TIMEOUT_S: Final = 30
RETRIES: Final = 2


class StripeNotSetUp(KanpuError):
    """No key for Stripe is set."""

    code = "stripe_not_set_up"


class StripeKeyUnknown(KanpuError):
    """What is set is no secret key of Stripe's."""

    code = "stripe_key_unknown"


class LiveKeyElsewhere(KanpuError):
    """A key that moves money would go to somebody who is not Stripe."""

    code = "stripe_live_key_elsewhere"


class OnlyATestKey(KanpuError):
    """A key that moves no money is set where money is to be moved."""

    code = "stripe_test_key_in_production"


def check_key(key: str, url: str, *, production: bool) -> None:
    """Raise StripeNotSetUp, StripeKeyUnknown, LiveKeyElsewhere or OnlyATestKey."""
    if not key:
        raise StripeNotSetUp("Set KANPU_STRIPE_KEY or KANPU_STRIPE_KEY_FILE to pay through Stripe.")
    if not key.startswith(LIVE + TEST):
        raise StripeKeyUnknown("KANPU_STRIPE_KEY must be a secret or restricted key: sk_… or rk_…")
    if key.startswith(LIVE) and url != STRIPE:
        raise LiveKeyElsewhere(f"A live key goes to {STRIPE} only: unset KANPU_STRIPE_URL, or take a test key.")
    if key.startswith(TEST) and production:
        raise OnlyATestKey("A test key pays nobody: set a live KANPU_STRIPE_KEY, or unset KANPU_PRODUCTION.")


def client_for(key: str, url: str) -> stripe.StripeClient:
    """Stripe's library, which tries again by itself what may be, with the same idempotency key."""
    http = stripe.RequestsClient(timeout=TIMEOUT_S)
    return stripe.StripeClient(key, base_addresses={"api": url}, max_network_retries=RETRIES, http_client=http)

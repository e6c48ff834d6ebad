"""What Stripe's answers and errors mean for a call that must be made once. Pure."""

from typing import Any, Final

import stripe

from apps.payouts.stripe_connect.moves import Answer, Fate

CONFLICT: Final = 409
# Nothing was made, and it may be later: the balance is topped up, the payee's account is verified.
NOT_YET: Final = ("balance_insufficient", "insufficient_capabilities_for_transfer", "payouts_not_allowed")


def meaning(error: stripe.StripeError) -> Answer:
    """What an error says of the call that it answers.

    No connection, 409 and 429 leave the key good. What stands for an error 500 is undecided, and so is a key that was
    used with other parameters: an earlier call may have made something.
    """
    code = error.code or type(error).__name__
    if isinstance(error, stripe.APIConnectionError | stripe.RateLimitError) or error.http_status == CONFLICT:
        return Answer(Fate.AGAIN, code)
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        return Answer(Fate.AGAIN, code)
    if isinstance(error, stripe.InvalidRequestError | stripe.CardError):
        return Answer(Fate.LATER if code in NOT_YET else Fate.REFUSED, code)
    return Answer(Fate.UNDECIDED, code)


def made(found: Any) -> Answer:
    """What Stripe's object says: of an account, transfer, payout or reversal."""
    if found["object"] == "account":
        return Answer(Fate.MADE, "", found["id"], found["external_accounts"]["data"][0]["id"])
    if found["object"] == "payout":
        return Answer(Fate.MADE, _of(found, "failure_code"), found["id"], "", found["status"])
    return Answer(Fate.MADE, "", found["id"])


def _of(found: Any, name: str) -> str:
    return found[name] or "" if name in found else ""

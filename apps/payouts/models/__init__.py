"""What is owed to whom and each attempt to pay it; the files of banks; what was asked of Stripe."""

from apps.payouts.models.payments import (
    Attempt,
    AttemptEvent,
    Batch,
    Obligation,
    PaymentHold,
    ResultFile,
    SendingBank,
)
from apps.payouts.models.stripe import StripeAccount, StripeCall, StripeEvent, StripePayment

__all__ = [
    "Attempt", "AttemptEvent", "Batch", "Obligation", "PaymentHold", "ResultFile", "SendingBank", "StripeAccount",
    "StripeCall", "StripeEvent", "StripePayment",
]  # fmt: skip

"""What is owed to whom and each attempt to pay it; the files of banks; what was asked of Stripe."""

from apps.payouts.models.payments import (
    LETTER,
    STRIPE,
    ZENGIN,
    Attempt,
    AttemptEvent,
    Batch,
    Estimate,
    Obligation,
    PayableLetter,
    PaymentHold,
    ResultFile,
    SendingBank,
)
from apps.payouts.models.stripe import StripeAccount, StripeCall, StripeEvent, StripePayment

__all__ = [
    "LETTER",
    "STRIPE",
    "ZENGIN",
    "Attempt",
    "AttemptEvent",
    "Batch",
    "Estimate",
    "Obligation",
    "PayableLetter",
    "PaymentHold",
    "ResultFile",
    "SendingBank",
    "StripeAccount",
    "StripeCall",
    "StripeEvent",
    "StripePayment",
]

"""Whoever is erased here is erased at Stripe as well: the connected account with the bank account and its holder."""

from datetime import datetime
from functools import partial
from typing import Final
from uuid import UUID

import stripe

from apps.payouts.models import STRIPE, Attempt, StripeAccount, StripePayment
from apps.payouts.operations.stripe_calls import at_the_same_time
from apps.payouts.outcomes import IN_FLIGHT
from apps.payouts.stripe_connect.asking import forget_account
from apps.payouts.stripe_connect.moves import Answer, Fate, Step
from apps.residents.models import PaymentAccount

AT_ONCE: Final = 100
GONE: Final = ("account_invalid", "resource_missing")  # it was deleted before, and the answer was lost


def mark_erased(ref: UUID, *, at: datetime) -> None:
    """The connected accounts of a resident are to be deleted: in the transaction that erases the resident."""
    rows = PaymentAccount.objects.filter(resident=ref).values("pk")
    StripeAccount.objects.filter(account_id__in=rows).update(forget_at=at)


def forget_erased(client: stripe.StripeClient) -> int:
    """Delete those that nothing is on the way to any more. Returns how many. Whoever calls holds the lock."""
    busy = StripePayment.objects.exclude(step=Step.OVER).values("attempt__account_id")
    prepared = Attempt.objects.filter(rail=STRIPE, state__in=IN_FLIGHT).values("account_id")
    marked = StripeAccount.objects.exclude(forget_at=None).exclude(account_id__in=busy)
    marked = marked.exclude(account_id__in=prepared)
    accounts = list(marked.order_by("pk")[:AT_ONCE])
    answers = at_the_same_time([partial(_forgotten, client, one.remote_id) for one in accounts])
    gone = [
        one.pk for one, answer in zip(accounts, answers, strict=True) if answer.fate == Fate.MADE or answer.code in GONE
    ]
    StripeAccount.objects.filter(pk__in=gone).delete()
    return len(gone)


def _forgotten(client: stripe.StripeClient, account: str) -> Answer:
    forget_account(client, account=account)
    return Answer(Fate.MADE)

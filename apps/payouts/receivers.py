"""What payments do when something happens elsewhere."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.dispatch import receiver

from apps.payouts.operations.stripe_forgetting import mark_erased
from apps.residents.operations.erasing import resident_erased


@receiver(resident_erased, dispatch_uid="forget_at_stripe")
def forget(ref: UUID, at: datetime, **_: Any) -> None:
    """A resident was erased: Stripe is to forget the account as well."""
    mark_erased(ref, at=at)

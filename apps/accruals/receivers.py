"""What happens here when something happens to a resident elsewhere."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.dispatch import receiver

from apps.accruals.operations.forgetting import empty_disputes
from apps.residents.operations.erasing import resident_erased


@receiver(resident_erased, dispatch_uid="empty_disputes")
def empty_what_was_disputed(ref: UUID, at: datetime, **_more: Any) -> None:
    """Texts of an erased resident's disputes go as well."""
    empty_disputes(ref, at=at)

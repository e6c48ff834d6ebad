"""What of cases is forgotten when a resident, a purchase or a year's purchases are."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.dispatch import receiver

from apps.accruals.operations.forgetting import purchase_forgotten, year_forgotten
from apps.inspections.operations.forgetting import forget_purchase, forget_resident, forget_year
from apps.purchases.following import Key
from apps.residents.operations.erasing import resident_erased


@receiver(resident_erased, dispatch_uid="empty_cases")
def empty_cases_of_resident(ref: UUID, at: datetime, **_more: Any) -> None:
    """Texts of cases about an erased resident go as well."""
    forget_resident(ref, at=at)


@receiver(purchase_forgotten, dispatch_uid="forget_annulments")
def forget_what_was_held_against(sale: Key, **_more: Any) -> None:
    """What was held against a withdrawn purchase goes with it."""
    forget_purchase(sale)


@receiver(year_forgotten, dispatch_uid="forget_annulments_of_year")
def forget_what_was_held_in(year: int, **_more: Any) -> None:
    """The same for a year's purchases."""
    forget_year(year)

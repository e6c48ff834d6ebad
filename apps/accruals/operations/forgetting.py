"""Forgetting disputes: with a withdrawn purchase, with their year's purchases; or their texts, with their resident.

Inside the caller's transaction.
"""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import F, QuerySet
from django.dispatch import Signal

from apps.accruals.models import IN_WORDS, UNFINISHED, Dispute, DisputeState
from apps.purchases.following import Key
from apps.residents.models import Photo

purchase_forgotten: Final = Signal()  # gives `sale`, in the same transaction
year_forgotten: Final = Signal()  # gives `year`, while its purchases are still there


def lock_disputes_about(sale: Key) -> None:
    """Let nobody decide what is disputed about a sale before the caller's transaction ends."""
    list(Dispute.objects.select_for_update().filter(terminal_id=sale.terminal_id, seq=sale.seq).order_by("pk"))


def forget_disputes_about(sale: Key) -> None:
    """Delete what was disputed about a sale that is erased, and have others forget the sale."""
    purchase_forgotten.send(sender=None, sale=sale)
    _delete(Dispute.objects.filter(terminal_id=sale.terminal_id, seq=sale.seq))


def forget_disputes_of_year(year: int) -> int:
    """Delete a year's disputes, with shops and times, and have others forget it. Returns how many disputes."""
    year_forgotten.send(sender=None, year=year)
    return _delete(Dispute.objects.filter(tax_year=year))


def empty_disputes(resident_ref: UUID, *, at: datetime) -> None:
    """Empty all texts of a resident's disputes for good; those that are unfinished end."""
    of_resident = Dispute.objects.filter(resident_ref=resident_ref, erased_at=None)
    _delete_photos(of_resident)
    empty: dict[str, Any] = dict.fromkeys(IN_WORDS, "")
    of_resident.filter(state=DisputeState.APPEALED).update(state=F("outcome"))  # what was decided stands
    of_resident.filter(state__in=UNFINISHED).update(state=DisputeState.WITHDRAWN)
    of_resident.update(**empty, erased_at=at)


def _delete(disputes: "QuerySet[Dispute]") -> int:
    _delete_photos(disputes)
    return disputes.delete()[0]


def _delete_photos(disputes: "QuerySet[Dispute]") -> None:
    photos = list(disputes.exclude(photo=None).values_list("photo_id", flat=True))
    if photos:
        disputes.exclude(photo=None).update(photo=None)
        Photo.objects.filter(pk__in=photos).delete()

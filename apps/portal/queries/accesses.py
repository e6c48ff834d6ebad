"""Who looked at a resident's data."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.core.paginator import Page, Paginator
from django.db.models import Count, Q
from django.utils import timezone

from apps.audit.access import Access
from apps.audit.models import AccessRecord
from apps.audit.purposes import E_MAIL, OWN
from apps.audit.queries.delays import told_later

ACCESSES_A_PAGE: Final = 50
OWN_SHOWN: Final = 20
OWN_ACCESS: Final = Access(actor="resident", role="resident", office="", purpose=OWN)
IS_OWN: Final = Q(role=OWN_ACCESS.role, purpose=OWN_ACCESS.purpose)
IS_MAIL: Final = Q(role="system", purpose=E_MAIL)


@dataclass(frozen=True, slots=True)
class AccessesPage:
    """A page of others' accesses, the newest first, each with its question if one was asked.

    Beside them the newest of the resident's own, and how many, and how many times a mail was sent.
    """

    page: "Page[AccessRecord]"
    own: list[AccessRecord]
    own_count: int
    mail_count: int


def own_accesses(ref: UUID, *, page: str | None) -> AccessesPage:
    """Accesses to the resident's data, but those that the resident is told of later."""
    records = AccessRecord.objects.filter(~told_later(timezone.now()), resident_ref=ref).order_by("-at", "-pk")
    own = records.filter(IS_OWN)
    counts = records.order_by().aggregate(own=Count("pk", filter=IS_OWN), mail=Count("pk", filter=IS_MAIL))
    others = records.exclude(IS_OWN | IS_MAIL).select_related("question")
    return AccessesPage(
        Paginator(others, ACCESSES_A_PAGE).get_page(page), list(own[:OWN_SHOWN]), counts["own"], counts["mail"]
    )


def own_access(ref: UUID, record_id: int) -> AccessRecord | None:
    """One access of somebody else's to the resident's data, with its question; None for another's: one query."""
    records = AccessRecord.objects.filter(~told_later(timezone.now()), pk=record_id, resident_ref=ref)
    return records.exclude(role="resident").select_related("question").first()

"""Who looked at a resident's data."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.core.paginator import Page, Paginator
from django.db.models import Q

from apps.audit.models import AccessRecord

ACCESSES_A_PAGE: Final = 50
OWN_SHOWN: Final = 20
OWN_PURPOSE: Final = "own page"  # of residents who look at their own data


@dataclass(frozen=True, slots=True)
class AccessesPage:
    """A page of others' accesses, the newest first; beside them the newest of the resident's own, and how many."""

    page: "Page[AccessRecord]"
    own: list[AccessRecord]
    own_count: int


def own_accesses(ref: UUID, *, page: str | None) -> AccessesPage:
    """Accesses to the resident's data."""
    records = AccessRecord.objects.filter(resident_ref=ref).order_by("-at", "-pk")
    is_own = Q(role="resident", purpose=OWN_PURPOSE)
    own = records.filter(is_own)
    return AccessesPage(
        Paginator(records.exclude(is_own), ACCESSES_A_PAGE).get_page(page), list(own[:OWN_SHOWN]), own.count()
    )

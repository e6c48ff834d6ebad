"""Which notices of an access are delayed now. It is a condition of the query: what is over appears by itself."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from apps.audit.access import Access
from apps.audit.models import NoticeDelay


def in_force(at: datetime) -> "QuerySet[NoticeDelay]":
    """Delays that were approved and are not over."""
    return NoticeDelay.objects.filter(approved_at__lte=at, ends_at__gt=at)


def told_later(at: datetime) -> Exists:
    """Of access records: whether the resident is told of it later only."""
    delays = in_force(at).filter(
        resident_ref=OuterRef("resident_ref"), actor=OuterRef("actor"), case=OuterRef("case"),
        approved_at__lte=OuterRef("at"),
    )  # fmt: skip
    return Exists(delays)


def told_later_of(at: datetime) -> Q:
    """Of events: those that say that the officer opened the resident, or broke glass to."""
    delays = in_force(at).filter(resident_ref=OuterRef("resident_ref"), approved_at__lte=OuterRef("at"))
    opened = Q(Exists(delays.filter(actor=OuterRef("actor"))), action="resident.open")
    return opened | Q(Exists(delays), action__startswith="glass.")


def glass_told_later(at: datetime) -> Exists:
    """Of break-glass requests: the same."""
    delays = in_force(at).filter(
        resident_ref=OuterRef("resident_ref"), actor=OuterRef("asked_by"), case=OuterRef("case"),
        approved_at__lte=Coalesce(OuterRef("approved_at"), OuterRef("asked_at")),
    )  # fmt: skip
    return Exists(delays)


def kept_back(access: Access, refs: Collection[UUID], *, at: datetime) -> set[UUID]:
    """Those of these residents who are told later that this officer looks, for this case: no query without a case."""
    if not access.case:
        return set()
    found = in_force(at).filter(actor=access.actor, case=access.case, resident_ref__in=refs)
    return set(found.values_list("resident_ref", flat=True))


def delayed_by_office(at: datetime) -> dict[str, int]:
    """How many delays are in force, by the office that asked: this is public."""
    rows = in_force(at).values_list("office").annotate(count=Count("pk")).order_by("office")
    return dict(rows)

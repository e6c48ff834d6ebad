"""Counting who looks for residents and who opens them: guessing is stopped, browsing raises an alarm."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Count, Q
from django.utils import timezone

from apps.audit.access import Access
from apps.audit.models import Event
from apps.audit.operations.trail import Cause, raise_alarms, record_event
from apps.kernel.errors import KanpuError

DAY: Final = timedelta(hours=24)
MISSES_A_DAY: Final = 10  # an honest clerk mistypes a few; a guesser of twelve digits needs far more
OPENED_A_DAY: Final = 40  # a window that takes ten minutes for each resident serves about as many in a working day


class RateLimited(KanpuError):
    """Too many particulars in a day that belong to nobody."""

    code = "rate_limited"


def note_seeking(access: Access, *, at: datetime) -> None:
    """Count that somebody looks for a resident, before it is known whether there is one. Raises RateLimited.

    Tries that are not followed by `note_opening` are misses; so tries at the same time count as well.
    """
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('seeking ' || %s, 0))", [access.actor])
        counts = Event.objects.filter(_opening(access, at)).aggregate(
            tries=Count("pk", filter=Q(action="resident.seek")), found=Count("pk", filter=Q(action="resident.open"))
        )
        is_refused = counts["tries"] - counts["found"] >= MISSES_A_DAY
        if is_refused:
            raise_alarms([_alarm("register_guessing", access, at, misses=MISSES_A_DAY)], at=at)
        else:
            record_event(at=at, actor=access.actor, action="resident.seek", subject="residents", detail={})
    if is_refused:
        raise RateLimited(f"{MISSES_A_DAY} particulars in 24 hours belonged to nobody. Ask your auditors, or wait.")


def note_opening(access: Access, resident_ref: UUID, *, at: datetime) -> None:
    """Count that a resident was opened; who opens unusually many in a day raises an alarm."""
    with transaction.atomic():
        record_event(
            at=at, actor=access.actor, action="resident.open", subject=f"resident:{resident_ref}",
            detail={"role": access.role, "office": access.office}, purpose=access.purpose,
        )  # fmt: skip
        opened = Event.objects.filter(_opening(access, at), action="resident.open")
        residents = opened.aggregate(count=Count("subject", distinct=True))["count"]
        if residents > OPENED_A_DAY:
            raise_alarms([_alarm("clerk_browses", access, at, residents=residents)], at=at)


def _opening(access: Access, at: datetime) -> Q:
    return Q(actor=access.actor, at__gt=at - DAY, action__in=("resident.seek", "resident.open"))


def _alarm(kind: str, access: Access, at: datetime, **counts: int) -> Cause:
    """Once for an actor and a day; it names no resident."""
    detail = {**counts, "hours": 24, "actor": access.actor, "role": access.role, "office": access.office}
    return Cause(kind, f"{access.actor}:{timezone.localdate(at)}", detail)

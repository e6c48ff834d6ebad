"""Work that cannot be done as it is: kept in a table with its reason, out of everybody's way, and tried again."""

import logging
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from apps.kernel.metrics import SET_ASIDE
from apps.kernel.request_ids import done_for
from apps.purchases.lanes import lane_of
from apps.purchases.models import Batch, Closing, Followup, Poison

logger = logging.getLogger(__name__)
# After so many failures, each wait at least so long before it is tried again by itself; then people look.
PAUSES: Final = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1))


@transaction.atomic
def note_failure(
    kind: Poison.Kind, terminal_id: int, number: int, *, reason: str, at: datetime, request_id: UUID | None = None
) -> None:
    """Count one more failure of some work, with the transaction that takes it off its queue."""
    poison, is_new = Poison.objects.select_for_update().get_or_create(
        kind=kind, terminal_id=terminal_id, number=number,
        defaults={"request_id": request_id, "reason": reason, "first_failed_at": at, "last_failed_at": at},
    )  # fmt: skip
    if not is_new:
        poison.reason, poison.last_failed_at, poison.settled_at = reason, max(at, poison.last_failed_at), None
        poison.attempts += 1
        poison.save(update_fields=["reason", "last_failed_at", "settled_at", "attempts"])
    SET_ASIDE.inc()
    with done_for(request_id):
        fields = {"kind": kind.value, "terminal": terminal_id, "number": number, "attempts": poison.attempts}
        logger.error("set aside", extra={"fields": {**fields, "reason": reason}})


def waiting_poison() -> "QuerySet[Poison]":
    """What is set aside now, the last that failed first."""
    return Poison.objects.filter(settled_at=None).order_by("-last_failed_at", "-pk")


def take_up_again(*, pks: Collection[int] | None = None) -> int:
    """Put what was set aside, all or these, back on its queue. Returns how many."""
    chosen = waiting_poison()
    return sum(map(_take_up, chosen if pks is None else chosen.filter(pk__in=pks)))


def take_up_due(*, now: datetime) -> int:
    """The same of what failed for the first few times, each after a longer pause; and note what was done by now."""
    settle_done(now=now)
    due = [
        poison
        for poison in waiting_poison().filter(attempts__lte=len(PAUSES))
        if poison.last_failed_at + PAUSES[poison.attempts - 1] <= now
    ]
    return sum(map(_take_up, due))


@transaction.atomic
def _take_up(poison: Poison) -> int:
    lane, terminal_id, number = lane_of(poison.terminal_id), poison.terminal_id, poison.number
    if poison.kind == Poison.Kind.BATCH:
        return Batch.objects.filter(lane=lane, id=number, counted_at=None, failed_at__isnull=False).update(
            failed_at=None
        )
    if poison.kind == Poison.Kind.CLOSING:
        return Closing.objects.filter(lane=lane, terminal_id=terminal_id, seq=number, due=False).update(due=True)
    followups = Followup.objects.filter(of_lane=lane, of_terminal_id=terminal_id, of_seq=number, due=True, failed=True)
    return int(followups.update(failed=False) > 0)


def settle_done(*, now: datetime) -> None:
    """Note which of it was done after all."""
    for poison in waiting_poison():
        if _is_done(poison):
            Poison.objects.filter(pk=poison.pk, attempts=poison.attempts).update(settled_at=now)


def _is_done(poison: Poison) -> bool:
    lane, terminal_id, number = lane_of(poison.terminal_id), poison.terminal_id, poison.number
    if poison.kind == Poison.Kind.BATCH:
        return Batch.objects.filter(lane=lane, id=number, counted_at__isnull=False).exists()
    if poison.kind == Poison.Kind.CLOSING:
        done = Closing.objects.filter(lane=lane, terminal_id=terminal_id, seq=number, due=False)
        return done.exclude(recorded=None).exists()
    waiting = Followup.objects.filter(of_lane=lane, of_terminal_id=terminal_id, of_seq=number, due=True)
    return not waiting.exists()

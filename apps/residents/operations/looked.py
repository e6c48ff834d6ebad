"""Telling residents that somebody looked at their data, in the transaction that puts it on record."""

import hashlib
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from apps.audit.access import Access
from apps.audit.models import AccessRecord, BreakGlass, NoticeDelay
from apps.audit.purposes import ROUTINE, counted_as
from apps.audit.queries.delays import kept_back
from apps.residents.models import VaultRecord
from apps.residents.operations.break_glass import tell_of_glass
from apps.residents.operations.messages import tell

AFTER: Final = timedelta(minutes=1)  # what was begun before the end of a delay has been written by then


def tell_looked(access: Access, refs: Sequence[UUID], at: datetime) -> None:
    """One message for an officer, a purpose and a day; none of what is done for all, nor of who looks at their own.

    A purpose that was typed stays in the record: it may name somebody. Whose notice is delayed is told later.
    """
    if access.purpose not in ROUTINE:
        later = kept_back(access, refs, at=at)
        _tell(access, {ref for ref in refs if ref not in later}, day_of=at, at=at)


@transaction.atomic
def tell_of_ended_delays(*, now: datetime) -> int:
    """Send the messages that delays kept back, once each delay is over. Returns how many delays.

    The page "who looked" needs none of this: what is over appears there by itself. Who was erased is told nothing.
    """
    over = NoticeDelay.objects.select_for_update(skip_locked=True).filter(told_at=None, ends_at__lte=now - AFTER)
    delays = list(over)
    for delay in delays:
        if delay.approved_at and VaultRecord.objects.filter(pk=delay.resident_ref, erased_at=None).exists():
            _tell_of_delayed(delay, now)
    NoticeDelay.objects.filter(pk__in=[delay.pk for delay in delays]).update(told_at=now)
    return len(delays)


def _tell_of_delayed(delay: NoticeDelay, now: datetime) -> None:
    theirs = {"resident_ref": delay.resident_ref, "case": delay.case}
    records = AccessRecord.objects.filter(**theirs, actor=delay.actor, at__gte=delay.approved_at, at__lte=delay.ends_at)
    for record in records.exclude(purpose__in=ROUTINE).order_by("at", "pk"):
        access = Access(record.actor, record.role, record.office, record.purpose, record.case)
        _tell(access, [record.resident_ref], day_of=record.at, at=now)
    asked = BreakGlass.objects.filter(**theirs, asked_by=delay.actor, approved_at__gte=delay.approved_at)
    for glass in asked.filter(approved_at__lte=delay.ends_at):
        tell_of_glass(glass, at=now)


def _tell(access: Access, refs: Collection[UUID], *, day_of: datetime, at: datetime) -> None:
    day = timezone.localdate(day_of)
    once = hashlib.sha256(f"{access.actor}\n{access.purpose}\n{day}".encode()).hexdigest()
    purpose = counted_as(access.purpose)
    tell(sorted(set(refs)), "looked", at=at, once=once, office=access.office, role=access.role, purpose=purpose)

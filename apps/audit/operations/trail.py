"""Writing the trail. Events and alarms are part of the caller's transaction: what is undone leaves none.

Accesses are committed before anything is shown, so that what was read is on record whatever happens next.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from apps.audit.access import Access
from apps.audit.macs import mac_of
from apps.audit.models import AccessRecord, Alarm, Event
from apps.audit.origin import origin
from apps.audit.purposes import counted_as
from apps.audit.states import Change

logger = logging.getLogger(__name__)
RESIDENT: Final = "resident"  # who looks at their own data
COUNT: Final = (
    "INSERT INTO audit_accesscount AS c (month, office, purpose, accesses) VALUES (%s, %s, %s, %s)"
    " ON CONFLICT (month, office, purpose) DO UPDATE SET accesses = c.accesses + excluded.accesses"
)
NO_CHANGES: Final[Mapping[str, Change]] = MappingProxyType({})
JsonObject = Mapping[str, object]
# Tells residents that somebody looks, in the transaction of the record.
Teller: TypeAlias = Callable[[Access, Sequence[UUID], datetime], None]
TELLERS: Final[list[Teller]] = []  # filled as apps above this one start


class Cause(NamedTuple):
    """Why an alarm is raised: `key` is stable for one cause."""

    kind: str
    key: str
    detail: dict[str, object]


def record_event(
    *,
    at: datetime,
    actor: str,
    action: str,
    subject: str,
    detail: JsonObject,
    purpose: str = "",
    before: object = None,
    after: object = None,
) -> None:
    """Add one event to the trail. Of `before` and `after`, where given, keyed hashes are kept.

    The log gets a line of it, too, which names no subject: by its request it is found together with what it caused.
    """
    _log_acts(action, 1)
    Event.objects.create(
        at=at, actor=actor, action=action, subject=subject, resident_ref=_whose(subject), purpose=purpose,
        origin=origin(), detail=dict(detail), before_mac=None if before is None else mac_of(before),
        after_mac=None if after is None else mac_of(after),
    )  # fmt: skip


def record_events(
    *,
    at: datetime,
    actor: str,
    action: str,
    details: Mapping[str, JsonObject],
    changes: Mapping[str, Change] = NO_CHANGES,
) -> None:
    """Add one event for each subject of the same action, with one statement; `changes` is what each was and is."""
    _log_acts(action, len(details))
    Event.objects.bulk_create(
        Event(
            at=at, actor=actor, action=action, subject=subject, resident_ref=_whose(subject), origin=origin(),
            detail=dict(detail), **_macs(changes.get(subject)),
        )
        for subject, detail in details.items()
    )  # fmt: skip


def _log_acts(action: str, events: int) -> None:
    """Once it is committed."""
    fields = {"action": action, "events": events}
    transaction.on_commit(partial(logger.info, "recorded", extra={"fields": fields}))


def _macs(change: Change | None) -> dict[str, bytes]:
    return {"before_mac": mac_of(change["before"]), "after_mac": mac_of(change["after"])} if change else {}


def raise_alarms(causes: Iterable[Cause], *, at: datetime) -> None:
    """Raise an alarm for each cause that has none yet."""
    alarms = [Alarm(kind=c.kind, key=c.key, detail=c.detail, raised_at=at) for c in causes]
    if alarms:
        Alarm.objects.bulk_create(alarms, ignore_conflicts=True)


def _count(access: Access, accesses: int, at: datetime) -> None:
    """Add to the month's figures that are public: one row, so that nobody has to count records."""
    if access.role == RESIDENT or not accesses:
        return
    month = timezone.localdate(at).replace(day=1)
    with connection.cursor() as cursor:
        cursor.execute(COUNT, [month, access.office, counted_as(access.purpose), accesses])


def record_accesses(access: Access, refs: Iterable[UUID], *, what: str, at: datetime) -> None:
    """Write down that residents' data is about to be read, durably: not inside another transaction.

    Residents are told in the same transaction, by whoever is in TELLERS.
    """
    looked_at = list(refs)
    with transaction.atomic(durable=True):
        AccessRecord.objects.bulk_create(
            AccessRecord(
                at=at, actor=access.actor, role=access.role, office=access.office, resident_ref=ref, what=what,
                purpose=access.purpose, case=access.case, origin=origin(),
            )
            for ref in looked_at
        )  # fmt: skip
        _count(access, len(looked_at), at)
        for teller in TELLERS:
            teller(access, looked_at, at)


def _whose(subject: str) -> UUID | None:
    """The resident that an event is about, if its subject is one."""
    kind, _, ref = subject.partition(":")
    return UUID(ref) if kind == "resident" else None

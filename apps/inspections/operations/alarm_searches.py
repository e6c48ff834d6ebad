"""Looking for alarms when an auditor asks for it: written down first, then done by whichever worker is free."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import IntegrityError, InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from apps.audit.operations import record_event
from apps.inspections.models import AlarmSearch
from apps.inspections.operations.alarms import find_in_kept_years
from apps.kernel.errors import KanpuError
from apps.purchases.doorbell import Doorbell

logger = logging.getLogger(__name__)
bell = Doorbell("inspections.alarm_searches")
LOCK: Final = 7_318_004  # of whoever looks because somebody asked
SHOWN_EVERY_S: Final = 0.5


class AlarmSearchRunning(KanpuError):
    """A look that was asked for is at work already."""

    code = "alarm_search_running"


def request_alarm_search(*, at: datetime, actor: str) -> AlarmSearch:
    """Ask that a worker looks at every kept year by all rules that are on. Raises AlarmSearchRunning."""
    try:
        with transaction.atomic():
            search = AlarmSearch.objects.create(requested_by=actor, requested_at=at)
            record_event(at=at, actor=actor, action="alarms.search", subject=f"alarm_search:{search.pk}", detail={})
    except IntegrityError as error:
        raise AlarmSearchRunning("Workers look for alarms already. Wait until they are done.") from error
    bell.ring()
    return search


def run_alarm_searches() -> int:
    """Do the look that was asked for, unless a worker is at it. Returns how many were done: 0 or 1.

    One whose worker is gone begins anew: what was found before is not found twice.
    """
    with _alone() as is_mine:
        search = AlarmSearch.objects.filter(finished_at=None).first() if is_mine else None
        if search is None:
            return 0
        try:
            raised = find_in_kept_years(at=timezone.now(), actor=search.requested_by, seen=_Shown(search))
        except (OperationalError, InterfaceError):
            raise  # the database is away: another worker begins it again
        except Exception as error:  # kept, so that it does not begin again and again
            logger.exception("%s failed.", search)
            code = error.code if isinstance(error, KanpuError) else "alarm_search_failed"
            _finish(search, error_code=code)
        else:
            _finish(search, raised=raised)
    return 1


def _finish(search: AlarmSearch, **values: object) -> None:
    AlarmSearch.objects.filter(pk=search.pk).update(finished_at=timezone.now(), **values)


@dataclass(slots=True)
class _Shown:
    """Tells how far the look is, on its row."""

    search: AlarmSearch
    shown_s: float = 0.0

    def __call__(self, done: int, total: int) -> None:
        if done == total or time.monotonic() - self.shown_s > SHOWN_EVERY_S:
            self.shown_s = time.monotonic()
            AlarmSearch.objects.filter(pk=self.search.pk).update(done=done, total=total)


@contextmanager
def _alone() -> Iterator[bool]:
    """While the block runs nobody else does what was asked for; the lock ends with the process that holds it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        (is_mine,) = cursor.fetchone()
    try:
        yield is_mine
    finally:
        if is_mine and connection.connection and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])

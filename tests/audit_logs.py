"""Putting all that happened into the audit log, beside tests that hold transactions open on the same server."""

import time

from django.db import connection

from apps.audit.models import AccessRecord, Event
from apps.audit.operations.sequencing import Sequenced, sequence

LAST_S = 60.0


def sequence_all() -> Sequenced:
    """Sequence once the server has ended every transaction that wrote an entry, and those before them."""
    await_earlier_transactions()
    return sequence()


def await_earlier_transactions() -> None:
    """Return when no transaction runs that is older than the last entry: the log leaves room for those."""
    last = max(model.objects.order_by("-written").values_list("written", flat=True)[:1].get() for model in _written())
    end_s = time.monotonic() + LAST_S
    while _oldest_running() <= last:
        assert time.monotonic() < end_s, "a transaction of another test stays open"
        time.sleep(0.02)


def _written() -> list[type[Event] | type[AccessRecord]]:
    return [model for model in (Event, AccessRecord) if model.objects.exists()]


def _oldest_running() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        return int(cursor.fetchone()[0])

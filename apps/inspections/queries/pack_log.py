"""What a pack has of the audit log: entries with their proofs, and the signed checkpoint that these lead to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from django.db import connection
from django.db.models import Q

from apps.audit import merkle
from apps.audit.leaves import leaf_data
from apps.audit.models import Checkpoint, Event, LogEntry
from apps.audit.outside import KeyMissing, public_key
from apps.audit.queries.log import BY_NUMBER, ROWS, read_tile
from apps.inspections.packs.tables import Table

ENTRY: Final = ("position", "data", "inclusion")


@dataclass(frozen=True, slots=True)
class LogPart:
    """Entries of the log, and the documents beside them: the checkpoint's note and the key that signed it."""

    table: Table
    documents: tuple[tuple[str, bytes], ...]


def events_in_log(which: Q) -> LogPart:
    """These events: each with its path to the first checkpoint that has them all.

    What is in no checkpoint yet has neither place nor path. Without any checkpoint there is no note.
    """
    events = list(Event.objects.filter(which).order_by("written", "pk").values_list("pk", flat=True))
    places = dict(LogEntry.objects.filter(source="event", source_id__in=events).values_list("source_id", "position"))
    checkpoint = _checkpoint(max(places.values(), default=-1))
    size = checkpoint.size if checkpoint else 0
    table = Table("log/events", ENTRY, list(_entries(events, places, size)), form="jsonl")
    return LogPart(table, tuple(_documents(checkpoint)))


def _checkpoint(last: int) -> Checkpoint | None:
    """The first checkpoint that has a place, so that later ones change nothing; else the newest."""
    found = Checkpoint.objects.filter(size__gt=last).order_by("size").first() if last >= 0 else None
    return found or Checkpoint.objects.order_by("-size").first()


def _entries(events: Sequence[int], places: dict[int, int], size: int) -> Iterator[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(BY_NUMBER.format(rows=ROWS["event"]), [list(events)])
        rows = {row[0]: row for row in cursor.fetchall()}
    for number in events:
        data, position = leaf_data("event", rows[number]).decode(), places.get(number)
        if position is None or position >= size:
            yield None, data, None
        else:
            path = merkle.inclusion_path(index=position, size=size, read=read_tile)
            yield position, data, [node.hex() for node in path]


def _documents(checkpoint: Checkpoint | None) -> Iterator[tuple[str, bytes]]:
    if checkpoint is None:
        return
    yield "log/checkpoint.txt", checkpoint.note.encode()
    try:
        key = public_key(settings.KANPU_AUDIT_LOG)
    except KeyMissing:  # on another host than the log's folder: whoever checks takes the key from there
        return
    yield "log/key.pem", key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

"""Putting events and accesses into the log's order, hashing them into its tree, signing how far it is.

One sequencer does it, after the fact: writers only insert, and wait for nobody. It takes what was written by
transactions that have all ended, in their order, so that nothing that commits late is left behind.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import connection, transaction

from apps.audit import merkle, outside
from apps.audit.leaves import leaf_of
from apps.audit.models import Checkpoint, LogEntry, LogHead, LogTile
from apps.audit.notes import Head, read_note, signed_note
from apps.audit.queries.log import read_tile, unlogged_rows

LOCK: Final = 20150908  # of the one sequencer, within its transaction
AT_ONCE: Final = 5_000


class Sequenced(NamedTuple):
    """How many entries the log got, and how many it has."""

    added: int
    size: int


def sequence() -> Sequenced:
    """Add to the log all that was committed and is not in it yet. Does nothing while another sequencer is at it."""
    added = 0
    while True:
        some = sequence_some()
        added += some.added
        if some.added < AT_ONCE:
            return Sequenced(added, some.size)


@transaction.atomic
def sequence_some() -> Sequenced:
    """Add some entries, in one transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        (is_mine,) = cursor.fetchone()
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        (end,) = cursor.fetchone()
    head, _ = LogHead.objects.get_or_create(number=1)
    if not is_mine:
        return Sequenced(0, head.size)
    # After a restore from a dump transactions count from the beginning again: then all is looked through once.
    start = head.horizon if head.horizon <= end else 0
    rows = _in_order(start, end)
    leaves = [leaf_of(source, row) for source, row in rows]
    LogEntry.objects.bulk_create(
        LogEntry(position=position, source=source, source_id=row[0], leaf=leaf)
        for position, ((source, row), leaf) in enumerate(zip(rows, leaves, strict=True), head.size)
    )
    growth = merkle.Growth(size=head.size, leaves=leaves, read=read_tile)
    LogTile.objects.bulk_create(
        [LogTile(level=tile.level, number=tile.number, hashes=tile.hashes) for tile in growth],
        update_conflicts=True, update_fields=["hashes"], unique_fields=["level", "number"],
    )  # fmt: skip
    head.size = growth.size
    head.horizon = rows[-1][1][-1] if len(rows) == AT_ONCE else end
    head.save()
    return Sequenced(len(rows), head.size)


def _in_order(start: int, end: int) -> list[tuple[str, Sequence[Any]]]:
    """The next rows of both kinds, by the transactions that wrote them."""
    found = [
        (source, row)
        for source in ("event", "access")
        for row in unlogged_rows(source, start=start, end=end, most=AT_ONCE)
    ]
    return sorted(found, key=lambda it: (it[1][-1], it[0], it[1][0]))[:AT_ONCE]


def write_checkpoint(folder: Path, key_path: Path, *, at: datetime) -> Head | None:
    """Sign the log as it is, and keep its leaves and the checkpoint outside the database; None if nothing is new.

    The public key goes into the database as well, for web servers to publish.

    What the folder has is never replaced. Raises KeyMissing, NoteWrong (the last checkpoint there is not this key's),
    OutsideCut, TileDamaged.
    """
    key = outside.signing_key(key_path)
    outside.keep_public_key(folder, key)
    LogHead.objects.exclude(public_key=(pem := outside.public_pem(key.public_key()))).update(public_key=pem)
    _take_up(folder, key.public_key(), at)
    size = LogHead.objects.values_list("size", flat=True).first() or 0
    last = Checkpoint.objects.order_by("-size").first()
    if size == 0 or (last is not None and last.size == size):
        return None
    _keep_leaves(folder, size)
    head = Head(size, merkle.root(size=size, read=read_tile))
    note = signed_note(head, key)
    outside.append_checkpoint(folder, note)  # first: a checkpoint that only the database has is none
    Checkpoint.objects.create(size=size, root=head.root, at=at, note=note)
    return head


def _take_up(folder: Path, key: Ed25519PublicKey, at: datetime) -> None:
    """Put into the database the checkpoint that is outside already, when somebody died in between."""
    note = outside.last_note(folder)
    if note is None:
        return
    head = read_note(note, key)
    Checkpoint.objects.get_or_create(size=head.size, defaults={"root": head.root, "at": at, "note": note})


def _keep_leaves(folder: Path, size: int) -> None:
    while (kept := outside.kept_leaves(folder)) < size:
        rows = LogEntry.objects.filter(position__gte=kept, position__lt=min(size, kept + 50_000)).order_by("position")
        outside.append_leaves(folder, kept, b"".join(bytes(leaf) for leaf in rows.values_list("leaf", flat=True)))

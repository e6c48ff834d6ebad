"""Moving attempts from state to state: each move with its event, in the caller's transaction."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from django.db import connection

from apps.payouts.models import Attempt, AttemptEvent, Batch

MOVE: Final = """
WITH moved AS (
    UPDATE payouts_attempt SET state = %(to)s, changed_at = %(at)s WHERE batch_id = %(batch)s AND state = ANY(%(of)s)
    RETURNING id
)
INSERT INTO payouts_attemptevent (attempt_id, at, actor, state, note)
SELECT id, %(at)s, %(actor)s, %(to)s, '' FROM moved
"""


def move_batch(batch: Batch, of: Sequence[str], to: str, *, at: datetime, actor: str) -> int:
    """Move a batch's attempts that are in one of the states. Returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(MOVE, {"batch": batch.pk, "of": list(of), "to": to, "at": at, "actor": actor})
        return int(cursor.rowcount)


def note(attempts: Iterable[Attempt], *, at: datetime, actor: str, text: str = "") -> None:
    """Add an event for each attempt in the state in which it is now."""
    AttemptEvent.objects.bulk_create(
        [AttemptEvent(attempt=one, at=at, actor=actor, state=one.state, note=text) for one in attempts],
        batch_size=5_000,
    )

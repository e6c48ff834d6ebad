"""Leaving signs of life."""

from datetime import datetime

from apps.upkeep.models import Heartbeat


def note_beat(*, at: datetime) -> None:
    """Note that the clock rang and was heard."""
    Heartbeat.objects.update_or_create(name="clock", defaults={"at": at})

"""Celery tasks of upkeep."""

from celery import shared_task
from django.utils import timezone

from apps.upkeep.operations import note_beat


@shared_task(name="upkeep.beat")
def beat() -> None:
    """Sent by the clock every minute."""
    note_beat(at=timezone.now())

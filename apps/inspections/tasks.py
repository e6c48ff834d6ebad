"""Celery tasks: they carry nothing, they say that there is work."""

from celery import shared_task
from django.utils import timezone

from apps.inspections.operations.packing import forget_packs, run_requested_packs


@shared_task(name="inspections.packs")
def packs() -> int:
    """Make the evidence packs that auditors asked for."""
    return run_requested_packs()


@shared_task(name="inspections.forget_packs")
def forget() -> int:
    """Delete the files of old packs that hold residents' records."""
    return forget_packs(now=timezone.now())

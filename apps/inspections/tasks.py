"""Celery tasks: they carry nothing, they say that there is work."""

from celery import shared_task

from apps.inspections.operations.packing import run_requested_packs


@shared_task(name="inspections.packs")
def packs() -> int:
    """Make the evidence packs that auditors asked for."""
    return run_requested_packs()

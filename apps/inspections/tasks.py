"""Celery tasks: they carry nothing, they say that there is work."""

from celery import shared_task
from django.utils import timezone

from apps.inspections.operations.exporting import delete_old_exports, write_waiting


@shared_task(name="inspections.exports")
def exports() -> int:
    """Write the exports that wait, and delete those that were kept long enough."""
    delete_old_exports(now=timezone.now())
    return write_waiting()

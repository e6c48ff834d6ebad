"""Celery tasks: they carry nothing, they say that there is work."""

from celery import shared_task
from django.utils import timezone

from apps.inspections.operations.drawing import draw_requested
from apps.inspections.operations.refreshing import refresh_open_years


@shared_task(name="inspections.samples")
def samples() -> int:
    """Draw the samples that auditors asked for."""
    return draw_requested()


@shared_task(name="inspections.merchants")
def merchants() -> int:
    """Count anew what merchants sent."""
    return refresh_open_years(now=timezone.now())

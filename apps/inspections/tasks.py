"""Celery tasks: they carry nothing, they say that there is work."""

from celery import shared_task
from django.utils import timezone

from apps.inspections.operations.alarm_searches import run_alarm_searches
from apps.inspections.operations.alarms import find_in_kept_years
from apps.inspections.operations.drawing import draw_requested
from apps.inspections.operations.exporting import delete_old_exports, write_waiting
from apps.inspections.operations.packing import forget_packs, run_requested_packs
from apps.inspections.operations.refreshing import refresh_open_years


@shared_task(name="inspections.packs")
def packs() -> int:
    """Make the evidence packs that auditors asked for."""
    return run_requested_packs()


@shared_task(name="inspections.find_alarms")
def find_alarms() -> int:
    """Look for alarms among what was counted since the last time."""
    return find_in_kept_years(at=timezone.now(), actor="clock")


@shared_task(name="inspections.alarm_searches")
def alarm_searches() -> int:
    """Look for alarms because an auditor asked for it."""
    return run_alarm_searches()


@shared_task(name="inspections.samples")
def samples() -> int:
    """Draw the samples that auditors asked for."""
    return draw_requested()


@shared_task(name="inspections.merchants")
def merchants() -> int:
    """Count anew what merchants sent."""
    return refresh_open_years(now=timezone.now())


@shared_task(name="inspections.exports")
def exports() -> int:
    """Write the exports that wait, and delete those that were kept long enough."""
    delete_old_exports(now=timezone.now())
    return write_waiting()


@shared_task(name="inspections.forget_packs")
def forget() -> int:
    """Delete the files of old packs that hold residents' records."""
    return forget_packs(now=timezone.now())

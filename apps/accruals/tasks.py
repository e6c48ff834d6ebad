"""Celery tasks: they carry nothing, they say that there is work."""

from celery import shared_task
from django.utils import timezone

from apps.accruals.operations.archiving import archive_year
from apps.accruals.operations.counting import count_all
from apps.schemes.queries import kept_years


@shared_task(name="accruals.count_pending")
def count_pending() -> int:
    """Count what waits."""
    return count_all()


@shared_task(name="accruals.archive")
def archive() -> int:
    """Write what was counted since the last time to the archive."""
    now = timezone.now()
    return sum(archive_year(year, now=now) for year in kept_years())

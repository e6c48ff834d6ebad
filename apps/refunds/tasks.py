"""Celery tasks: they carry nothing, they say that there is work."""

from celery import shared_task
from django.utils import timezone

from apps.refunds.operations.assessing import assess_waiting
from apps.refunds.operations.erasing import erase_due
from apps.refunds.operations.lapsing import lapse_refunds
from apps.refunds.operations.requesting import run_requested


@shared_task(name="refunds.assess")
def assess() -> int:
    """Take shards of a run that is being assessed."""
    return assess_waiting()


@shared_task(name="refunds.steps")
def steps() -> int:
    """Start the steps that auditors asked for."""
    return run_requested()


@shared_task(name="refunds.lapse")
def lapse() -> None:
    """Warn of refunds that nobody claims, and let those lapse whose time is over."""
    lapse_refunds(today=timezone.localdate(), actor="clock")


@shared_task(name="refunds.retention")
def retention() -> int:
    """Erase the purchases of years whose retention date has come."""
    return erase_due(today=timezone.localdate(), actor="clock")

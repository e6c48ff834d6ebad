"""Celery tasks: they carry nothing, they say that there is work."""

from celery import shared_task

from apps.refunds.operations.assessing import assess_waiting
from apps.refunds.operations.requesting import run_requested


@shared_task(name="refunds.assess")
def assess() -> int:
    """Take shards of a run that is being assessed."""
    return assess_waiting()


@shared_task(name="refunds.steps")
def steps() -> int:
    """Start the steps that auditors asked for."""
    return run_requested()

"""The Celery application. Its queue is a doorbell: tasks say that there is work, the database says which."""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_process_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("kanpu")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_process_init.connect
def _is_worker(**_: Any) -> None:
    """Events of a worker say so."""
    from apps.audit.origin import process_is  # noqa: PLC0415 - Django is set up by now

    process_is("worker")

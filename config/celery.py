"""The Celery application. Its queue is a doorbell: tasks say that there is work, the database says which."""

import logging
import logging.config
import os
import time
from contextlib import ExitStack
from typing import Any, Final
from uuid import uuid4

from celery import Celery
from celery.signals import before_task_publish, setup_logging, task_postrun, task_prerun, worker_process_init
from django.conf import settings

from apps.kernel.logs import tell_what_is_done
from apps.kernel.request_ids import done_for, read_request_id, request_id

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

logger = logging.getLogger(__name__)
HEADER: Final = "kanpu_request_id"
_running: Final[dict[str, tuple[ExitStack, float]]] = {}  # by task number: ends what it is done for; began (monotonic)

app = Celery("kanpu")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_process_init.connect
def _is_worker(**_: Any) -> None:
    """Events of a worker say so."""
    from apps.audit.origin import process_is  # noqa: PLC0415 - Django is set up by now

    process_is("worker")


@setup_logging.connect
def _log_as_all_do(**_: Any) -> None:
    """Workers and the clock write the same lines as web servers; Celery would write its own."""
    logging.config.dictConfig(settings.LOGGING)
    tell_what_is_done()
    logging.captureWarnings(True)


@before_task_publish.connect
def _say_for_whom(headers: dict[str, Any], **_: Any) -> None:
    """A task is done for the request that asked for it."""
    if number := request_id():
        headers[HEADER] = str(number)


@task_prerun.connect
def _begin(task_id: str, task: Any, **_: Any) -> None:
    number = read_request_id(str(task.request.get(HEADER) or "")) or uuid4()
    ending = ExitStack()
    ending.enter_context(done_for(number))
    _running[task_id] = ending, time.monotonic()


@task_postrun.connect
def _end(task_id: str, task: Any, retval: Any = None, state: str | None = None, **_: Any) -> None:
    """A line for what was done; one that found no work leaves none."""
    ending, began_s = _running.pop(task_id)
    if isinstance(retval, int) and retval and state == "SUCCESS":
        fields = {"task": task.name, "done": retval, "ms": round((time.monotonic() - began_s) * 1000, 1)}
        logger.info("worked", extra={"fields": fields})
    ending.close()

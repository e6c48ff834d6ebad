"""Telling workers that there is work, off the request path. A lost ring costs delay, never data: the sweep finds it."""

import logging
import threading
from typing import Final
from uuid import UUID

from celery import current_app

from apps.kernel.request_ids import done_for, request_id

logger = logging.getLogger(__name__)

PAUSE_S: Final = 0.1  # rings within this time are one
RING_EXPIRES_S: Final = 30
BREAK_S: Final = (1, 2, 4, 8, 16, 30)


class Doorbell:
    """One thread a process that rings when asked; after a failure it is silent for a while (a breaker)."""

    def __init__(self, task: str) -> None:
        self._task = task
        self._asked = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._request_id: UUID | None = None

    def ring(self) -> None:
        """Ask for a ring. Never waits, never fails."""
        self._request_id = request_id()  # of one of those who ask: its ring is one of some
        self._asked.set()
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="doorbell", daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        failures = 0
        pause = threading.Event()
        while self._asked.wait():
            self._asked.clear()
            try:
                with done_for(self._request_id):
                    current_app.send_task(self._task, expires=RING_EXPIRES_S, retry=False)
                failures = 0
                pause.wait(PAUSE_S)
            except Exception as error:  # whatever it is, the thread must go on
                logger.warning("The doorbell does not ring (%s): the sweep will find the work.", type(error).__name__)
                pause.wait(BREAK_S[min(failures, len(BREAK_S) - 1)])
                failures += 1


doorbell = Doorbell("accruals.count_pending")

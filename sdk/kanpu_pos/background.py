"""Sending in the background: soon after each record, later and later while the server is out of reach."""

import random
import threading
import time
from collections.abc import Callable
from typing import Final

from kanpu_pos.retry import FIRST_CEILING_S

LONGEST_PAUSE_S: Final = 300.0
REFRESH_EVERY_S: Final = 3_600.0
REFRESH_AGAIN_S: Final = 60.0


class Background(threading.Thread):
    """Calls `send` whenever it is woken, and `refresh` once an hour; what fails is tried again after a pause.

    The pause of `send` doubles up to five minutes, with full jitter, so that tills do not come back all at once after
    an outage. A refresh that fails holds up no sending.
    """

    def __init__(self, *, send: Callable[[], object], refresh: Callable[[], object]) -> None:
        super().__init__(name="kanpu-pos", daemon=True)
        self._work = {"send": send, "refresh": refresh}
        self._woken, self._stopped = threading.Event(), threading.Event()
        self._refresh_at_s = 0.0
        self._errors: dict[str, str] = {}

    @property
    def last_error(self) -> str | None:
        """Why sending failed last, or else refreshing; None when neither did."""
        return self._errors.get("send") or self._errors.get("refresh")

    def wake(self) -> None:
        """There is something to send."""
        self._woken.set()

    def stop(self, *, wait_s: float) -> None:
        """Send nothing more; wait for what is under way."""
        self._stopped.set()
        self._woken.set()
        self.join(wait_s)

    def run(self) -> None:
        """Send and refresh until stopped."""
        failures = 0
        while not self._stopped.is_set():
            self._woken.clear()
            failures = 0 if self._succeeds("send") else failures + 1
            if time.monotonic() >= self._refresh_at_s:
                pause_s = REFRESH_EVERY_S if self._succeeds("refresh") else REFRESH_AGAIN_S
                self._refresh_at_s = time.monotonic() + pause_s
            if failures:
                self._stopped.wait(random.uniform(0.0, pause_ceiling_s(failures)))  # noqa: S311 - no secret  # nosec B311
            else:
                self._woken.wait(max(0.0, self._refresh_at_s - time.monotonic()))

    def _succeeds(self, name: str) -> bool:
        try:
            self._work[name]()
        except Exception as error:  # whatever it was, the till must go on trying; its status says so
            self._errors[name] = str(error) or repr(error)
            return False
        self._errors.pop(name, None)
        return True


def pause_ceiling_s(failures: int) -> float:
    """Return the longest pause in seconds after that many failures in a row: 0.5, 1, 2 … 300."""
    return min(LONGEST_PAUSE_S, FIRST_CEILING_S * 2.0 ** min(failures - 1, 16))

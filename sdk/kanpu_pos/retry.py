"""When to send the same bytes again, and how long to wait before it."""

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

RETRIED_STATUSES: Final = frozenset({429, 500, 502, 503, 504})
FIRST_CEILING_S: Final = 0.5
LAST_CEILING_S: Final = 30.0

_SECONDS = re.compile(r"[0-9]{1,9}")


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The time and chance that retries depend on; replace them in tests.

    `uniform(low, high)` draws the jitter, `now` (aware) matters only for a `Retry-After` that is a date.
    """

    monotonic_s: Callable[[], float] = time.monotonic
    sleep_s: Callable[[float], None] = time.sleep
    now: Callable[[], datetime] = _now
    uniform: Callable[[float, float], float] = random.uniform


def ceiling_s(attempts: int) -> float:
    """Return the longest wait in seconds after `attempts` failed ones: 0.5, 1, 2 … 30."""
    return min(LAST_CEILING_S, FIRST_CEILING_S * 2.0 ** min(attempts - 1, 16))


def retry_after_s(header: str | None, *, now: datetime) -> float:
    """Return the seconds `Retry-After` (RFC 9110, 10.2.3) asks for; 0 when absent, past or unreadable."""
    if header is None:
        return 0.0
    if _SECONDS.fullmatch(header.strip()):
        return float(header)
    try:
        at = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return 0.0
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds())


def wait_s(attempts: int, *, retry_after: str | None, clock: Clock) -> float:
    """Return how long to wait: what the server asked for, and a full jitter so that tills spread."""
    jitter_s = clock.uniform(0.0, ceiling_s(attempts))
    return retry_after_s(retry_after, now=clock.now()) + jitter_s

"""How many requests a key may send: generous, by terminals, counted in Redis, and never in the way without it."""

import logging
import math
import threading
import time
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.db import connection
from limits.storage import RedisStorage
from redis import ConnectionPool, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from apps.merchants.queries import KeyHolder, terminal_count

logger = logging.getLogger(__name__)

WINDOW_S: Final = 10
BASE_REQUESTS = 1_000  # a window, whoever sends
REQUESTS_PER_TERMINAL = 50  # a window; a till that reports every sale at once needs fewer
PLACES_IN_BASE: Final = 100  # so many times a process takes places before the base is used up
TERMINALS_KNOWN_S: Final = 60
TIMEOUT_S: Final = 0.05
BREAK_S: Final = 5


@dataclass(slots=True)
class _Taken:
    """Places of a window that this process took: the last that a request had, and the last there is."""

    window: int
    used: int
    end: int


class RateLimiter:
    """Counts each key's requests in windows of the clock, together with all other processes.

    A process takes places in a window some at a time, so that few requests make a trip to Redis; what it took and did
    not use is at most a hundredth of the base. After a failure there is no trip for a while.

    A key may send BASE_REQUESTS in a window and REQUESTS_PER_TERMINAL more for each terminal it has. The terminals are
    counted only for a key that needs more than the base.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._storage: RedisStorage | None = None
        self._broken = False
        self._break_ends_s = 0.0  # monotonic
        self._allowed: dict[int, tuple[int, float]] = {}  # key number: requests a window, known until (monotonic)
        self._taken: dict[int, _Taken] = {}  # by key number
        self._taking = threading.Lock()

    def spend(self, holder: KeyHolder) -> int:
        """Count one request of the key; the whole seconds after which it may send again, or 0 if this one is fine."""
        window, into_s = divmod(time.time(), WINDOW_S)
        used = self._place(holder.key_id, int(window))
        if used <= BASE_REQUESTS or used <= self._allowance(holder):
            return 0
        return math.ceil(WINDOW_S - into_s)

    def _place(self, key_id: int, window: int) -> int:
        """This request's place among the key's in a window, or 0 while Redis is away: one of some taken together."""
        with self._taking:
            taken = self._taken.get(key_id)
            if not taken or taken.window != window or taken.used == taken.end:
                some = max(1, BASE_REQUESTS // PLACES_IN_BASE)
                end = self._take(f"{key_id}:{window}", some)
                taken = self._taken[key_id] = _Taken(window, used=end - some, end=end)
            taken.used += 1
            return max(0, taken.used)

    def _take(self, key: str, some: int) -> int:
        """The last of some places in a window, or 0 while Redis is away."""
        if time.monotonic() < self._break_ends_s:
            return 0
        try:
            used = self._redis().incr(key, 2 * WINDOW_S, amount=some)
        except (RedisError, OSError) as error:
            self._break_ends_s = time.monotonic() + BREAK_S
            if not self._broken:
                logger.warning("Requests are not counted while Redis is away (%s).", type(error).__name__)
            self._broken = True
            return 0
        self._broken = False
        return used

    def _redis(self) -> RedisStorage:
        if self._storage is None:
            pool = ConnectionPool.from_url(
                self._address,
                socket_timeout=TIMEOUT_S,
                socket_connect_timeout=TIMEOUT_S,
                retry=Retry(NoBackoff(), 0),
            )
            prefix = f"{connection.settings_dict['NAME']}:requests"
            self._storage = RedisStorage(self._address, connection_pool=pool, key_prefix=prefix)
        return self._storage

    def _allowance(self, holder: KeyHolder) -> int:
        allowed, known_until_s = self._allowed.get(holder.key_id, (0, 0.0))
        if time.monotonic() >= known_until_s:
            allowed = BASE_REQUESTS + REQUESTS_PER_TERMINAL * terminal_count(holder)
            self._allowed[holder.key_id] = allowed, time.monotonic() + TERMINALS_KNOWN_S
        return allowed


rate_limiter = RateLimiter(settings.CELERY_BROKER_URL)

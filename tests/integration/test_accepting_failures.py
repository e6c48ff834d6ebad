"""Accepting when the database ends a connection or cannot store a batch: nothing is lost, nothing half kept."""

import httpx
import pytest
from django.db import connection

from apps.purchases.models import Batch, Purchase, Seal, TerminalState
from tests.till import RawTill
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)


def post(web: str, world: World, content: bytes) -> httpx.Response:
    headers = {"Authorization": f"Bearer {world.api_key}", "Content-Type": "application/json"}
    return httpx.post(f"{web}/v1/purchases", content=content, headers=headers, timeout=30)


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def till_of(world: World, sales: int) -> RawTill:
    till = RawTill(world)
    for _ in range(sales):
        till.sale(reduced=1080)
    return till


def test_a_connection_that_the_server_ended_costs_no_request(world: World, web: str) -> None:
    till = till_of(world, 8)
    for record in till.records[:4]:
        assert post(web, world, till.batch([record])).json()["accepted"] == 1
    execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()")  # fmt: skip
    for record in till.records[4:]:
        answer = post(web, world, till.batch([record]))
        assert (answer.status_code, answer.json()["accepted"]) == (200, 1)
    assert Purchase.objects.count() == 8


def test_a_batch_that_cannot_be_stored_leaves_nothing_and_is_taken_when_sent_again(world: World, web: str) -> None:
    till = till_of(world, 5)
    execute("ALTER TABLE purchases_purchase DETACH PARTITION purchases_purchase_2017")
    try:
        for _ in range(3):  # its connection is good for the next request, too
            answer = post(web, world, till.batch())
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
            assert answer.headers["Retry-After"]
        assert not Batch.objects.exists()
        assert not Seal.objects.exists()
        assert not TerminalState.objects.exists()
    finally:
        execute("ALTER TABLE purchases_purchase ATTACH PARTITION purchases_purchase_2017 FOR VALUES IN (2017)")
    assert post(web, world, till.batch()).json()["accepted"] == 5
    assert post(web, world, till.batch()).json()["duplicates"] == 5
    assert Batch.objects.get().records == Purchase.objects.count() == 5

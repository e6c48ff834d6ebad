"""From accepted to counted: tokens opened, cards judged, entries and totals written once, whatever dies."""

import base64
import json
import os
import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import redis
from django.db import connection, connections, transaction
from django.utils import timezone
from kanpu_pos import Client, VirtualCard

from apps.accruals.models import Entry
from apps.accruals.operations.counting import count_all
from apps.accruals.operations.posting import post
from apps.accruals.tallies import Counted
from apps.audit.models import Alarm
from apps.kernel.database import Cursor, raw_connection
from apps.purchases.models import Batch, Outcome
from apps.purchases.poison import take_up_again
from apps.purchases.queries import uncounted
from apps.residents.keyring import KeyringMissing, KeyringOutdated
from apps.simulator.processes import Processes, free_port, sweep_command, web_command, worker_command
from tests.till import totals
from tests.world import TERMINAL, TEST_TERMINAL, World, body, suspend

pytestmark = pytest.mark.django_db(transaction=True)
NUMBERS = count(1)


def report(web: str, key: str, *records: bytes, terminal: str = TERMINAL) -> None:
    with Client(web, key, timeout_s=30) as client:
        answer = client.report(terminal, records)
    assert answer.accepted == len(records), answer


def totals_of(resident: UUID) -> dict[tuple[int, int, str], int]:
    return {(run, month, tier): amount for (_, run, month, tier), (amount, _) in totals(resident).items()}


def wait_until(condition: Callable[[], bool], *, timeout_s: float = 30) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.1)


def empty_redis() -> None:
    """Delete all that is of the tests' database: other tests may use the same Redis now."""
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as server:
        if keys := list(server.scan_iter(f"{connection.settings_dict['NAME']}:*")):
            server.delete(*keys)


def outcomes() -> dict[int, str]:
    return {o.seq: f"{o.status} {o.code}".strip() for o in Outcome.objects.all()}


def test_a_purchase_is_counted_for_the_resident_of_its_card(world: World, web: str) -> None:
    one, two = world.residents
    report(
        web, world.api_key,
        world.sale(one, reduced=1080, standard=550),
        world.sale(one, reduced=540, at="2017-12-31T23:59:59+09:00"),
        world.sale(two, standard=100, at="2017-01-01T00:00:00+09:00"),
    )  # fmt: skip
    assert count_all() == 3
    assert totals_of(one) == {(1, 4, "reduced"): 1080, (1, 4, "standard"): 550, (1, 12, "reduced"): 540}
    assert totals_of(two) == {(1, 1, "standard"): 100}
    assert Entry.objects.filter(resident_ref=one).count() == 2
    assert not Outcome.objects.exists()
    assert uncounted() == (0, 0)
    assert count_all() == 0


def test_new_years_eve_and_new_years_day_land_in_different_years(world: World, web: str) -> None:
    now = timezone.now()
    report(web, world.api_key, world.sale(reduced=100, at="2017-12-31T23:59:59+09:00"))
    this_year = world.sale(reduced=100, at=f"{now.year}-01-01T00:00:00+09:00")
    report(web, world.api_key, this_year)
    count_all()
    assert sorted(Entry.objects.values_list("tax_year", "month")) == [(2017, 12), (now.year, 1)]


def test_what_a_card_does_not_prove_is_rejected_with_its_reason(world: World, web: str) -> None:
    card = world.cards[world.residents[0]]
    stranger = VirtualCard(bytes(16), bytes(32))
    forged = VirtualCard(card.card_id, bytes(32), counter=900)
    reader, now = world.readers["live"], datetime.now(UTC)
    good = json.loads(world.sale(reduced=1))
    flipped = bytearray(base64.urlsafe_b64decode(good["card"][4:] + "=="))
    flipped[60] ^= 1
    tokens = [
        reader.seal(card, terminal=TERMINAL, seq=1, now=now),
        reader.seal(card, terminal="other", seq=2, now=now),
        reader.seal(card, terminal=TERMINAL, seq=99, now=now),
        reader.seal(stranger, terminal=TERMINAL, seq=4, now=now),
        reader.seal(forged, terminal=TERMINAL, seq=5, now=now),
        world.readers["test"].seal(card, terminal=TERMINAL, seq=6, now=now),
        "kt1." + base64.urlsafe_b64encode(bytes(flipped)).rstrip(b"=").decode(),
    ]
    report(
        web, world.api_key,
        *(json.dumps(good | {"seq": seq, "card": token}).encode() for seq, token in enumerate(tokens, start=1)),
    )  # fmt: skip
    count_all()
    assert outcomes() == {
        2: "rejected cryptogram_wrong",
        3: "rejected cryptogram_wrong",
        4: "rejected card_unknown",
        5: "rejected cryptogram_wrong",
        6: "rejected card_unknown",
        7: "rejected cryptogram_wrong",
    }
    assert Entry.objects.count() == 1


def test_a_counter_used_twice_is_held_as_a_clone_in_any_batch(world: World, web: str) -> None:
    one = world.residents[0]
    original = world.cards[one]
    copy = VirtualCard(original.card_id, original.card_key)
    report(web, world.api_key, world.sale(reduced=100), world.sale(reduced=200))
    count_all()
    world.cards[one] = copy
    report(web, world.api_key, world.sale(reduced=400), world.sale(reduced=800), world.sale(reduced=1600))
    count_all()
    assert totals_of(one) == {(1, 4, "reduced"): 100 + 200 + 1600}
    assert outcomes() == {3: "held card_cloned", 4: "held card_cloned"}
    assert Alarm.objects.filter(kind="card_cloned").count() == 2


def test_the_cards_state_when_it_paid_decides(world: World, web: str) -> None:
    suspended = datetime(2017, 6, 1, tzinfo=UTC)
    suspend(world.residents[0], suspended)
    before, after = (
        world.sale(reduced=100, at="2017-05-31T12:00:00Z"),
        world.sale(reduced=200, at="2017-06-01T00:00:00Z"),
    )
    report(web, world.api_key, before, after)
    count_all()
    assert totals_of(world.residents[0]) == {(1, 5, "reduced"): 100}
    assert outcomes() == {2: "held card_suspended"}


def test_sales_without_a_card_wait_for_their_claim_or_count_for_nobody(world: World, web: str) -> None:
    plain = {"seq": 1, "at": "2017-04-03T09:30:00+09:00", "lines": [{"tier": "reduced", "amount": 100}]}
    claim = base64.urlsafe_b64encode(bytes(32)).rstrip(b"=").decode()
    report(
        web,
        world.api_key,
        json.dumps(plain).encode(),
        json.dumps(plain | {"seq": 2, "claim": claim}).encode(),
    )
    count_all()
    assert outcomes() == {2: "unclaimed"}
    assert not Entry.objects.exists()


def test_test_purchases_are_counted_where_no_run_reads(world: World, web: str) -> None:
    sale = world.sale(world.test_resident, reduced=100, terminal=TEST_TERMINAL, mode="test")
    live_card_at_a_test_till = world.sale(world.residents[0], reduced=100, terminal=TEST_TERMINAL, mode="live")
    report(web, world.test_key, sale, live_card_at_a_test_till, terminal=TEST_TERMINAL)
    count_all()
    assert totals_of(world.test_resident) == {(0, 4, "reduced"): 100}
    assert outcomes() == {2: "rejected card_unknown"}


def test_several_workers_count_each_purchase_once(world: World, web: str) -> None:
    sales = [world.sale(world.residents[n % 2], reduced=10) for n in range(300)]
    for start in range(0, 300, 3):
        report(web, world.api_key, *sales[start : start + 3])
    counted: list[int] = []

    def work() -> None:
        try:
            counted.append(count_all())
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    count_all()
    assert Entry.objects.count() == 300
    assert sum(sum(totals_of(resident).values()) for resident in world.residents) == 3000


@pytest.mark.usefixtures("one_machine")  # the figures are the partition's own
def test_totals_are_added_to_without_touching_an_index(world: World) -> None:
    assert any(added_in_place() >= 0.99 for _ in range(5))  # others' snapshots may keep old rows for a moment


def added_in_place() -> float:
    """The part of 30 additions to 150 of 1,500 new residents, two tiers each, that touched no index."""
    refs = [uuid4() for _ in range(1500)]
    updated_before, in_place_before = updates_of_totals()
    for chosen in [refs, *(random.sample(refs, 150) for _ in range(30))]:
        with transaction.atomic(), Cursor(raw_connection()) as cursor:
            post(cursor, [an_entry(ref) for ref in chosen])
    updated, in_place = updates_of_totals()
    assert updated - updated_before == 2 * 30 * 150
    return (in_place - in_place_before) / (updated - updated_before)


def updates_of_totals() -> tuple[int, int]:
    """How many rows of 2017's totals were ever updated, and how many of those without touching an index."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute(
            "SELECT pg_stat_get_tuples_updated(c), pg_stat_get_tuples_hot_updated(c)"
            " FROM (SELECT 'accruals_total_2017'::regclass AS c)"
        )
        updated, in_place = cursor.fetchone()
    return updated, in_place


def an_entry(resident_ref: UUID) -> Counted:
    at = datetime(2017, 3, 3, tzinfo=UTC)
    amounts = ("reduced", "standard"), (5, 6), (1, 1)
    return Counted(resident_ref, 2017, 1, next(NUMBERS), 1, 1, 3, at, 1, 1, "sale", None, None, *amounts)


def test_a_batch_that_cannot_be_counted_is_set_aside_whole_and_keeps_nobody_waiting(world: World, web: str) -> None:
    report(web, world.api_key, world.sale(reduced=100), world.sale(reduced=666))
    report(web, world.api_key, world.sale(reduced=1))
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accruals_entry ADD CONSTRAINT planted CHECK (amounts_minor[1] <> 666)")
    try:
        count_all()
        assert [entry.amounts_minor for entry in Entry.objects.all()] == [[1]]
        assert uncounted() == (1, 2)
        assert Alarm.objects.filter(kind="batch_failed").count() == 1
        assert count_all() == 0
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE accruals_entry DROP CONSTRAINT planted")
    assert take_up_again() == 1
    assert count_all() == 2
    assert totals_of(world.residents[0]) == {(1, 4, "reduced"): 767}


def test_a_worker_with_another_key_judges_no_card(world: World, web: str, settings: Any, tmp_path: Path) -> None:
    report(web, world.api_key, world.sale(reduced=100))
    right = settings.KANPU_KEYRING
    for name, change in (
        ("other index", {"card_index": [{"version": 1, "key": "00" * 32}]}),
        ("no sealing key 1", {"sealing": {}}),
        ("other issuer", {"issuer": []}),
    ):
        settings.KANPU_KEYRING = tmp_path / name
        settings.KANPU_KEYRING.write_text(json.dumps(json.loads(right.read_text()) | change))
        with pytest.raises(KeyringOutdated, match="lacks the key"):
            count_all()
    assert uncounted() == (1, 1)
    assert not Outcome.objects.exists()
    settings.KANPU_KEYRING = right
    assert count_all() == 1
    assert Entry.objects.count() == 1


def test_a_process_without_keys_says_so(world: World, settings: Any) -> None:
    settings.KANPU_KEYRING = None
    with pytest.raises(KeyringMissing, match="KANPU_KEYRING"):
        count_all()


def test_workers_are_rung_and_count(world: World, web: str, workers: Processes) -> None:
    report(web, world.api_key, *(world.sale(reduced=10) for _ in range(20)))
    wait_until(lambda: Entry.objects.count() == 20)


def test_killed_workers_and_an_emptied_redis_cost_delay_only(world: World, web: str, workers: Processes) -> None:
    sales = [world.sale(world.residents[n % 2], reduced=10) for n in range(600)]
    report(web, world.api_key, *sales[:300])
    wait_until(Entry.objects.exists)
    workers.kill("worker")
    workers.kill("sweep")
    report(web, world.api_key, *sales[300:])
    empty_redis()
    workers.start("worker", worker_command(), with_keys=True)
    workers.start("sweep", sweep_command(), with_keys=True)
    wait_until(lambda: uncounted() == (0, 0))
    assert Entry.objects.count() == 600
    assert sum(sum(totals_of(resident).values()) for resident in world.residents) == 6000


def test_with_redis_dead_purchases_are_taken_at_once_and_the_sweep_counts_them(
    world: World, processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")
    processes.start("web", web_command(port), with_keys=False)
    processes.start("sweep", sweep_command(), with_keys=True)
    processes.wait_for(f"http://127.0.0.1:{port}/v1/keys")
    headers = {"Authorization": f"Bearer {world.api_key}", "Content-Type": "application/json"}
    took_s = []
    for _ in range(20):
        answer = httpx.post(
            f"http://127.0.0.1:{port}/v1/purchases", content=body([world.sale(reduced=5)]), headers=headers
        )
        assert answer.json()["accepted"] == 1
        took_s.append(answer.elapsed.total_seconds())
    assert median(took_s) < 1  # not one by one: the machine may be busy for a moment
    wait_until(lambda: Entry.objects.count() == 20)


def test_the_web_server_survives_postgresql_cutting_its_connections(world: World, web: str) -> None:
    report(web, world.api_key, world.sale(reduced=1))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
    report(web, world.api_key, world.sale(reduced=2))
    assert Batch.objects.count() == 2

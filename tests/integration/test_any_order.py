"""The same records in any order and grouping, by several workers, over freezes: the same totals."""

import random
import threading
from collections import Counter, defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError, connections
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accruals.models import Entry
from apps.accruals.operations.counting import count_all, count_some
from apps.accruals.operations.years import freeze_run
from apps.audit.models import Alarm
from apps.purchases.models import Followup
from apps.purchases.poison import take_up_again
from apps.purchases.queries import uncounted
from apps.refunds.models import Refund, Run
from apps.refunds.operations.approving import approve_run
from apps.refunds.operations.assessing import assess_run
from apps.refunds.operations.freezing import OutboxNotEmpty, freeze
from apps.refunds.operations.verifying import verify_run
from tests.examples import examples
from tests.integration.test_counting import wait_until
from tests.till import RawTill, Record, bases, forget_all, send, totals
from tests.world import World, auditor

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_was_given_up_holds_up_the_freeze_until_it_is_taken_up_again(
    world: World, tills: tuple[RawTill, RawTill]
) -> None:
    till, _ = tills
    till.give_back(till.sale(reduced=1000), reduced=100)
    send(till)
    while count_some(now=timezone.now()):
        pass
    line = Followup.objects.get().line
    Followup.objects.update(line="damaged")
    count_all()
    with pytest.raises(OutboxNotEmpty):
        freeze(2017, actor="test", drain_timeout_s=1)
    Followup.objects.update(line=line)
    take_up_again()
    count_all()
    assert totals() == {(2017, 1, 8, "reduced"): (900, 1)}
    freeze(2017, actor="test", drain_timeout_s=1)


def test_workers_that_count_and_settle_at_once_lose_nothing(world: World, tills: tuple[RawTill, RawTill]) -> None:
    rng = random.Random(11)
    records = [sent for _ in range(25) for sent in merchants_books(rng, world, tills)]
    play(records)
    expected = {ref: totals(ref) for ref in world.residents}
    forget_all()
    rng.shuffle(records)
    stop = threading.Event()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            while not stop.is_set():
                with suppress(OperationalError):  # a deadlock was broken: the sweep would try again
                    count_all()
        except BaseException as error:
            failures.append(error)
            raise
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for till, record in records:
        send(till, record)
    wait_until(lambda: uncounted() == (0, 0), timeout_s=60)
    stop.set()
    for worker in workers:
        worker.join()
    assert (failures, count_all()) == ([], 0)
    assert {ref: totals(ref) for ref in world.residents} == expected
    assert not Followup.objects.filter(waiting=True).exists()


def test_a_return_after_the_freeze_is_counted_under_the_next_run(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    sale = till.sale(reduced=1000)
    send(till)
    count_all()
    freeze_run(2017, now=timezone.now())
    returned = till.give_back(sale, reduced=400, at=f"{timezone.now().year}-01-02T10:00:00+09:00")
    send(till, returned)
    count_all()
    assert totals() == {(2017, 1, 8, "reduced"): (1000, 1), (2017, 2, 8, "reduced"): (-400, 0)}


def test_what_cannot_be_settled_raises_an_alarm_and_keeps_nobody_waiting(
    world: World, tills: tuple[RawTill, RawTill]
) -> None:
    till, other = tills
    sale = till.sale(reduced=1000)
    till.give_back(sale, reduced=100)
    good = other.sale(reduced=500)
    other.give_back(good, reduced=100)
    send(till)
    send(other)
    count_all_with_a_damaged_followup()
    assert totals()[2017, 1, 8, "reduced"] == (1400, 2)


def count_all_with_a_damaged_followup() -> None:
    """Count, but with the first till's return damaged on disk before it is settled."""
    while count_some(now=timezone.now()):
        pass
    damaged = Followup.objects.order_by("position").first()
    assert damaged
    Followup.objects.filter(of_terminal_id=damaged.of_terminal_id, seq=damaged.seq).update(line="damaged")
    count_all()
    assert Alarm.objects.get(kind="followup_failed")


def test_both_assessments_agree_on_a_year_of_every_kind_and_on_its_supplementary_run(
    world: World, tills: tuple[RawTill, RawTill], archive: Path
) -> None:
    for till, record in merchants_books(random.Random(7), world, tills):
        send(till, record)
    first = tills[0].sale(reduced=11_000)
    send(tills[0], first)
    count_all()
    before = year_end()
    for name in ("ann", "ben"):
        approve_run(2017, by=auditor(name).username, actor="test")
    send(tills[0], tills[0].give_back(first, reduced=5_500), tills[0].void({"seq": 1}))
    count_all()
    after = year_end()
    assert (before.state, after.state) == ("verified", "verified")
    assert after.number == 2
    due = {refund.resident_ref: refund.due_minor for refund in Refund.objects.filter(run=2)}
    assert due[world.residents[0]] <= -100


def year_end() -> Run:
    freeze(2017, actor="test", drain_timeout_s=5)
    assess_run(2017, actor="test")
    return verify_run(2017, actor="test")


def merchants_books(rng: random.Random, world: World, tills: tuple[RawTill, RawTill]) -> list[tuple[RawTill, Record]]:
    """Sales, corrections and returns of two tills, without more returned than is sold in the end."""
    sent: list[tuple[RawTill, Record]] = []
    for _ in range(rng.randint(1, 4)):
        till = rng.choice(tills)
        refused = rng.random() < 0.2
        amounts: dict[str, Any] = {"foood": 1} if refused else {"reduced": rng.randint(1, 500)}
        sale = till.sale(rng.choice(world.residents), **amounts)
        sent.append((till, sale))
        left: dict[str, Any] = {} if refused else {line["tier"]: line["amount"] for line in sale["lines"]}
        for _ in range(rng.randint(1 if refused else 0, 2)):
            left = {"reduced": rng.randint(1, 500), "standard": rng.randint(1, 500)}
            moved: dict[str, Any] = {"sold_at": "2017-11-30T23:00:00+09:00"} if rng.random() < 0.3 else {}
            corrected = till.correct(sale, **left, **moved)
            sent.append((till, corrected))
            if rng.random() < 0.2:
                sent.append((till, till.void(corrected)))
        for _ in range(rng.randint(0, 3)):
            chosen = [tier for tier, most in left.items() if most and rng.random() < 0.7]
            back: dict[str, Any] = {tier: rng.randint(1, left[tier]) for tier in chosen}
            if not back:
                continue
            by = rng.choice(tills)
            returned = by.give_back(sale, terminal=till.terminal, **back)
            sent.append((by, returned))
            if rng.random() < 0.2:
                wrong = by.give_back(returned, **back)  # a return of a return, and its void: neither is anything
                sent += [(by, wrong), (by, by.void(wrong))]
            if rng.random() < 0.3:
                sent.append((by, by.void(returned)))
            else:
                left = {tier: most - back.get(tier, 0) for tier, most in left.items()}
        if rng.random() < 0.2:
            sent.append((till, till.void(sale)))
    return sent


@pytest.mark.property
@settings(max_examples=examples(10), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), data=st.data())
def test_any_order_and_grouping_gives_the_same_totals(
    world: World, tills: tuple[RawTill, RawTill], seed: int, data: st.DataObject
) -> None:
    played_in_any_order(world, tills, seed, data)


@pytest.mark.property
@settings(max_examples=examples(10), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), data=st.data())
def test_any_order_and_grouping_gives_the_same_when_purchases_are_taken_one_by_one(
    world: World, by_purchase: None, tills: tuple[RawTill, RawTill], seed: int, data: st.DataObject
) -> None:
    expected = played_in_any_order(world, tills, seed, data)
    assert {ref: bases(ref) for ref in world.residents} == expected
    left: dict[tuple[Any, ...], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for e in Entry.objects.all():
        sale = e.resident_ref, e.of_terminal_id or e.terminal_id, e.of_seq or e.seq, e.at, e.month
        for tier, amount in zip(e.tiers, e.amounts_minor, strict=True):
            left[sale][tier] += amount
    for ref in world.residents:
        of_one = [(sale[-1], amounts) for sale, amounts in left.items() if sale[0] == ref]
        assert bases(ref) == what_purchases_bring(of_one)
        counted = Counter(month for month, amounts in of_one if any(amounts.values()))
        kept = {month: count for (_, _, month, tier), (_, count) in totals(ref).items() if tier == ""}
        assert kept == counted


def what_purchases_bring(purchases: list[tuple[int, dict[str, int]]]) -> dict[tuple[int, int, str], int]:
    """What the scheme by-purchase says, written out: from 100 yen on a tenth of food, a rate difference, 40 at most."""
    brought: dict[tuple[int, int, str], int] = defaultdict(int)
    for month, amounts in purchases:
        food, other = amounts.get("reduced", 0), amounts.get("standard", 0)
        if food + other >= 100:
            of_food = min(food // 10, 40)
            brought[1, month, "reduced"] += of_food
            brought[1, month, "standard"] += min(other * 10 // 110, 40 - of_food) if month >= 10 else 0
    return {key: base for key, base in brought.items() if base}


def played_in_any_order(
    world: World, tills: tuple[RawTill, RawTill], seed: int, data: st.DataObject
) -> dict[UUID, dict[tuple[int, int, str], int]]:
    """Play books in their order, then in another: the same totals, and the entries' sums. Returns the first's bases."""
    for till in tills:
        till.records.clear()
    records = merchants_books(random.Random(seed), world, tills)
    play(records)
    expected = {ref: totals(ref) for ref in world.residents}
    expected_bases = {ref: bases(ref) for ref in world.residents}
    order = data.draw(st.permutations(range(len(records))))
    breaks = data.draw(st.sets(st.integers(0, len(records))))
    play([records[i] for i in order], breaks=breaks)
    assert {ref: totals(ref) for ref in world.residents} == expected
    from_entries: dict[tuple[Any, ...], int] = {}
    for entry in Entry.objects.all():
        for tier, amount in zip(entry.tiers, entry.amounts_minor, strict=True):
            key = (entry.resident_ref, entry.tax_year, entry.run, entry.month, tier)
            from_entries[key] = from_entries.get(key, 0) + amount
    kept = {
        (ref, *key): amount for ref in world.residents for key, (amount, _) in totals(ref).items() if amount and key[-1]
    }
    assert {key: amount for key, amount in from_entries.items() if amount} == kept
    return expected_bases


def play(records: list[tuple[RawTill, Record]], *, breaks: set[int] = frozenset()) -> None:  # type: ignore[assignment]
    """Send records one by one from an empty database, and count wherever there is a break."""
    forget_all()
    for index, (till, record) in enumerate(records):
        send(till, record)
        if index in breaks:
            count_all()
    count_all()
    assert not Followup.objects.filter(due=True).exists()

"""Returns, voids and corrections, from the API to the resident's totals, in whatever order they come."""

import json
import random
import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError, connections
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accruals.models import CardCounter, Entry, Total
from apps.accruals.operations.counting import count_all, count_some
from apps.accruals.operations.settling import settle_due
from apps.accruals.operations.years import freeze_run
from apps.audit.models import Alarm
from apps.merchants.models import Merchant, Terminal
from apps.merchants.operations import enrol_terminal
from apps.purchases.lanes import lane_of
from apps.purchases.models import Followup, Outcome
from apps.purchases.operations import accept_batch
from apps.purchases.outbox import take_up_again
from apps.purchases.queries import uncounted
from apps.purchases.store import Sender
from apps.refunds.models import Refund, Run
from apps.refunds.operations import OutboxNotEmpty, assess_run, freeze, verify_run
from apps.residents.models import Card
from apps.schemes.models import TaxYear
from tests.integration.test_counting import wait_until
from tests.till import RawTill, Record, forget_all
from tests.world import TERMINAL, World

pytestmark = pytest.mark.django_db(transaction=True)
SECOND = "shop-2"


@pytest.fixture
def tills(world: World) -> tuple[RawTill, RawTill]:
    """Two tills of one merchant."""
    enrol_terminal(Merchant.objects.get(name="Shop"), SECOND, at=timezone.now(), actor="test")
    return RawTill(world), RawTill(world, SECOND)


def send(till: RawTill, *records: Record, now: datetime | None = None) -> list[tuple[int | None, str]]:
    """Report records of a till (all of them by default). Returns the codes of those refused."""
    terminal = Terminal.objects.get(code=till.terminal)
    sender = Sender(lane_of(terminal.pk), terminal.pk, till.terminal, terminal.merchant_id, None, uuid4(), "")
    chosen = list(records) or till.records
    answer = accept_batch(sender, [json.dumps(record).encode() for record in chosen], now=now or timezone.now())
    return [(refusal.seq, refusal.defect.code) for refusal in answer.decided.refusals]


def totals(resident: UUID | None = None) -> dict[tuple[int, int, int, str], tuple[int, int]]:
    """(year, run, month, tier) → (amount, purchases), without those at nothing."""
    rows = Total.objects.filter(**({"resident_ref": resident} if resident else {}))
    return {
        (t.tax_year, t.run, t.month, t.tier): (t.amount_minor, t.purchases)
        for t in rows
        if t.amount_minor or t.purchases
    }


def fates() -> dict[tuple[str, int], str]:
    codes = dict(Terminal.objects.values_list("pk", "code"))
    return {
        (codes[o.terminal_id], o.seq): " ".join(filter(None, [o.status, o.code, o.value]))
        for o in Outcome.objects.all()
    }


def test_a_return_is_taken_from_the_sales_resident_month_and_year(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, other = tills
    this_year = timezone.now().year
    sale = till.sale(world.residents[1], at="2017-12-31T23:59:59+09:00", reduced=1000, standard=300)
    other.give_back(sale, terminal=TERMINAL, at=f"{this_year}-01-02T10:00:00+09:00", reduced=400)
    assert send(till) == send(other) == []
    count_all()
    assert totals() == {(2017, 1, 12, "reduced"): (600, 1), (2017, 1, 12, "standard"): (300, 1)}
    assert set(Entry.objects.values_list("resident_ref", flat=True)) == {world.residents[1]}
    returned = Entry.objects.get(kind="return")
    assert (returned.amounts_minor, returned.tax_year, returned.month) == ([-400], 2017, 12)
    assert fates() == {(SECOND, 1): "counted"}


def test_a_sale_returned_in_full_is_nothing(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    sale = till.sale(reduced=1000, standard=300)
    till.give_back(sale, reduced=1000)
    till.give_back(sale, standard=300)
    send(till)
    count_all()
    assert totals() == {}


def test_more_returned_than_sold_is_refused_with_what_is_left(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    sale = till.sale(reduced=1000)
    till.give_back(sale, reduced=700)
    till.give_back(sale, reduced=301)
    till.give_back(sale, standard=1)
    send(till)
    count_all()
    assert totals() == {(2017, 1, 8, "reduced"): (300, 1)}
    assert fates() == {
        (TERMINAL, 2): "counted",
        (TERMINAL, 3): "rejected return_exceeds_sale reduced=300",
        (TERMINAL, 4): "rejected return_exceeds_sale standard=0",
    }


def test_what_comes_before_its_sale_waits_and_is_counted_when_the_sale_comes(
    world: World, tills: tuple[RawTill, RawTill]
) -> None:
    till, other = tills
    sale = till.sale(reduced=1000)
    returned = other.give_back(sale, terminal=TERMINAL, reduced=400)
    corrected = till.correct(sale, reduced=900)
    send(other, returned)
    send(till, corrected)
    count_all()
    assert totals() == {}
    assert fates() == {(SECOND, 1): "waiting", (TERMINAL, 2): "waiting"}
    send(till, sale)
    count_all()
    assert totals() == {(2017, 1, 8, "reduced"): (500, 1)}
    assert fates() == {(SECOND, 1): "counted", (TERMINAL, 2): "counted"}
    assert not Followup.objects.filter(due=True).exists()
    assert not Followup.objects.filter(waiting=True).exists()


def test_a_voided_sale_stays_void_when_it_comes_again(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    sale = till.sale(reduced=1000)
    till.void(sale)
    till.void(sale)
    till.correct(sale, reduced=1)
    send(till)
    count_all()
    send(till, sale)
    count_all()
    assert totals() == {}
    assert fates() == {
        (TERMINAL, 1): "voided",
        (TERMINAL, 2): "counted",
        (TERMINAL, 3): "rejected already_void",
        (TERMINAL, 4): "rejected already_void",
    }


def test_a_void_may_come_before_the_return_that_it_takes_back(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    sale = till.sale(reduced=1000)
    returned = till.give_back(sale, reduced=400)
    void = till.void(returned)
    for record in (void, sale, returned):
        send(till, record)
        count_all()
    assert totals() == {(2017, 1, 8, "reduced"): (1000, 1)}
    assert fates()[TERMINAL, 2] == "voided"


def test_a_refused_sale_is_mended_though_the_customer_has_left(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    wrong = till.sale(world.residents[1], foood=1000)
    till.give_back(wrong, reduced=100)
    till.correct(wrong, reduced=1000)
    assert send(till) == [(1, "tier_unknown")]
    count_all()
    assert totals(world.residents[1]) == {(2017, 1, 8, "reduced"): (900, 1)}
    assert fates() == {(TERMINAL, 1): "counted", (TERMINAL, 2): "counted", (TERMINAL, 3): "counted"}
    card = Card.objects.get(resident_id=world.residents[1])
    assert CardCounter.objects.filter(card=card.pk).exists()


def test_a_mended_sales_card_is_judged_like_any_other(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    Card.objects.filter(resident_id=world.residents[0]).update(suspended_from=datetime(2017, 1, 2, tzinfo=UTC))
    wrong = till.sale(foood=1000)
    till.correct(wrong, reduced=1000)
    send(till)
    count_all()
    assert totals() == {}
    assert fates() == {(TERMINAL, 1): "held card_suspended", (TERMINAL, 2): "held card_suspended"}


def test_a_wrong_clock_is_mended_and_moves_the_sale(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    ahead = till.sale(at="2217-08-03T09:30:00+09:00", reduced=1000)
    till.correct(ahead, sold_at="2017-08-03T09:30:00+09:00", reduced=1000)
    misdated = till.sale(at="2017-02-01T09:30:00+09:00", reduced=50)
    till.correct(misdated, sold_at="2017-03-01T09:30:00+09:00", reduced=60)
    assert send(till) == [(1, "year_not_open")]
    count_all()
    assert totals() == {(2017, 1, 8, "reduced"): (1000, 1), (2017, 1, 3, "reduced"): (60, 1)}


def test_a_refused_return_is_mended_by_a_correction(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    sale = till.sale(reduced=1000)
    returned = till.give_back(sale, foood=400)
    till.correct(returned, reduced=400)
    assert send(till) == [(2, "tier_unknown")]
    count_all()
    assert totals() == {(2017, 1, 8, "reduced"): (600, 1)}
    assert fates() == {(TERMINAL, 2): "counted", (TERMINAL, 3): "counted"}


def test_what_follows_a_held_sale_is_held_with_it(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    Card.objects.filter(resident_id=world.residents[0]).update(suspended_from=datetime(2017, 1, 2, tzinfo=UTC))
    sale = till.sale(reduced=1000)
    till.give_back(sale, reduced=100)
    send(till)
    count_all()
    assert totals() == {}
    assert fates() == {(TERMINAL, 1): "held card_suspended", (TERMINAL, 2): "held card_suspended"}


def test_a_return_of_a_sale_without_a_card_is_counted_on_no_account(
    world: World, tills: tuple[RawTill, RawTill]
) -> None:
    till, _ = tills
    sale = till.sale(reduced=1000)
    del sale["card"]
    till.give_back(sale, reduced=100)
    send(till)
    count_all()
    assert (totals(), fates()) == ({}, {(TERMINAL, 2): "counted"})


def test_what_names_something_else_is_refused(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, other = tills
    sale = till.sale(reduced=1000)
    unused = till.unused()
    till.void(unused)
    returned = till.give_back(sale, reduced=1)
    till.give_back(returned, reduced=1)
    rival = other.give_back(sale, terminal="rival-1", reduced=1)
    send(till)
    assert send(other, rival) == [(1, "record_malformed")]
    count_all()
    assert fates() == {
        (TERMINAL, 3): "rejected of_not_a_sale",
        (TERMINAL, 4): "counted",
        (TERMINAL, 5): "rejected of_not_a_sale",
    }


def test_what_names_a_record_that_cannot_be_mended_is_refused_and_does_not_wait(
    world: World, tills: tuple[RawTill, RawTill]
) -> None:
    till, _ = tills
    sale = till.sale(reduced=1000)
    unused = till.unused()
    till.void(unused)
    far = till.give_back(sale, reduced=1, at="2012-01-01T00:00:00+09:00")
    till.correct(far, reduced=1)
    blurred: Record = {"seq": 6, "at": "2017-08-03T09:30:00+09:00", "lines": [{"tier": "a=b", "amount": 1}]}
    till.records.append(blurred)
    till.correct(blurred, reduced=1)
    till.void(till.give_back(unused, reduced=1))
    for record in reversed(till.records):
        send(till, record)
        count_all()
    assert not Followup.objects.filter(due=True).exists()
    assert not Followup.objects.filter(waiting=True).exists()
    assert not Alarm.objects.filter(kind="followup_failed").exists()
    rejected = {number for (_, number), fate in fates().items() if fate == "rejected of_not_a_sale"}
    assert rejected == {3, 5, 7, 8, 9}


def test_a_void_of_a_correction_books_nothing_twice(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    sale = till.sale(reduced=1000)
    corrected = till.correct(sale, reduced=100_000)
    send(till)
    count_all()
    send(till, till.void(corrected), till.give_back(sale, reduced=1))
    count_all()
    assert totals() == {(2017, 1, 8, "reduced"): (99_999, 1)}
    assert fates()[TERMINAL, 3] == "rejected of_not_a_sale"


def test_a_return_of_a_return_books_nothing_and_hides_nothing(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    sale = till.sale(reduced=1000)
    returned = till.give_back(sale, reduced=400)
    wrong = till.give_back(returned, reduced=400)
    send(till)
    count_all()
    send(till, till.void(wrong), till.void(returned))
    count_all()
    assert totals() == {(2017, 1, 8, "reduced"): (1000, 1)}
    assert fates()[TERMINAL, 3] == fates()[TERMINAL, 4] == "rejected of_not_a_sale"
    assert not Followup.objects.filter(due=True).exists()


def test_a_void_may_be_counted_while_its_return_is_not(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    sale = till.sale(reduced=1000)
    returned = till.give_back(sale, reduced=400)
    void = till.void(returned)
    send(till, void)
    count_all()
    send(till, sale)
    count_all()
    send(till, returned)
    Followup.objects.update(due=True)
    assert settle_due() == 1  # the return is accepted and not counted: the void goes on waiting
    assert Followup.objects.get().waiting
    count_all()
    assert totals() == {(2017, 1, 8, "reduced"): (1000, 1)}


@pytest.mark.parametrize("spelling", ["XYZ", "x" * 9000])
@pytest.mark.parametrize("field", ["card", "claim"])
def test_a_card_that_was_none_is_none_when_its_sale_is_mended(
    world: World, tills: tuple[RawTill, RawTill], field: str, spelling: str
) -> None:
    till, other = tills
    wrong = till.sale(reduced=1)
    del wrong["card"]
    wrong[field] = spelling
    till.correct(wrong, reduced=1000)
    good = other.sale(reduced=50)
    other.give_back(good, reduced=20)
    send(till)
    send(other)
    count_all()
    assert fates()[TERMINAL, 1] == "rejected cryptogram_wrong"
    assert totals() == {(2017, 1, 8, "reduced"): (30, 1)}


def test_a_card_is_judged_at_the_time_that_a_correction_gives(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    june, march, august = "2017-06-01T00:00:00+09:00", "2017-03-01T09:00:00+09:00", "2017-08-01T09:00:00+09:00"
    Card.objects.filter(resident_id=world.residents[0]).update(valid_from=datetime.fromisoformat(june))
    early = till.sale(at=march, reduced=100)
    refused = till.sale(at=march, foood=100)
    send(till)
    send(till, till.correct(refused, reduced=1000))
    count_all()
    assert totals() == {}
    assert fates()[TERMINAL, 1] == fates()[TERMINAL, 3] == "rejected card_not_valid"
    send(till, till.correct(refused, reduced=1000, sold_at=august), till.correct(early, reduced=100, sold_at=august))
    count_all()
    assert totals() == {(2017, 1, 8, "reduced"): (1100, 2)}
    assert {fates()[TERMINAL, seq] for seq in range(1, 6)} == {"counted"}
    send(till, till.correct(early, reduced=100, sold_at=march))
    count_all()
    assert totals() == {(2017, 1, 8, "reduced"): (1000, 1)}
    assert fates()[TERMINAL, 1] == "rejected card_not_valid"


def test_after_the_deadline_nothing_raises_a_closed_year(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    sale = till.sale(reduced=1000)
    returned = till.give_back(sale, reduced=1000)
    send(till)
    count_all()
    TaxYear.objects.filter(year=2017).update(deadline_at=timezone.now())
    now = f"{timezone.now().year}-01-02T10:00:00+09:00"
    send(till, till.void(returned, at=now), till.correct(returned, at=now, reduced=1))
    count_all()
    assert totals() == {}
    assert fates()[TERMINAL, 3] == fates()[TERMINAL, 4] == "rejected year_closed 2017"


def test_a_return_refused_as_malformed_is_mended_too(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    sale = till.sale(reduced=1000)
    returned = till.give_back(sale, reduced=100)
    returned["lines"] = returned["lines"] * 2
    till.correct(returned, reduced=150)
    assert send(till) == [(2, "record_malformed")]
    count_all()
    assert totals() == {(2017, 1, 8, "reduced"): (850, 1)}


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


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), data=st.data())
def test_any_order_and_grouping_gives_the_same_totals(
    world: World, tills: tuple[RawTill, RawTill], seed: int, data: st.DataObject
) -> None:
    for till in tills:
        till.records.clear()
    records = merchants_books(random.Random(seed), world, tills)
    play(records)
    expected = {ref: totals(ref) for ref in world.residents}
    order = data.draw(st.permutations(range(len(records))))
    breaks = data.draw(st.sets(st.integers(0, len(records))))
    play([records[i] for i in order], breaks=breaks)
    assert {ref: totals(ref) for ref in world.residents} == expected
    from_entries: dict[tuple[Any, ...], int] = {}
    for entry in Entry.objects.all():
        for tier, amount in zip(entry.tiers, entry.amounts_minor, strict=True):
            key = (entry.resident_ref, entry.tax_year, entry.run, entry.month, tier)
            from_entries[key] = from_entries.get(key, 0) + amount
    kept = {(t.resident_ref, t.tax_year, t.run, t.month, t.tier): t.amount_minor for t in Total.objects.all()}
    assert from_entries == kept


def play(records: list[tuple[RawTill, Record]], *, breaks: set[int] = frozenset()) -> None:  # type: ignore[assignment]
    """Send records one by one from an empty database, and count wherever there is a break."""
    forget_all()
    for index, (till, record) in enumerate(records):
        send(till, record)
        if index in breaks:
            count_all()
    count_all()
    assert not Followup.objects.filter(due=True).exists()

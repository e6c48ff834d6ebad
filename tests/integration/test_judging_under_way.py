"""Judging again while others count, in pieces, and when it fails or dies."""

import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError
from django.utils import timezone

from apps.accruals.claims import claim_of
from apps.accruals.models import Entry, Withheld
from apps.accruals.operations.archiving import archive_year
from apps.accruals.operations.claiming import claim_purchase
from apps.accruals.operations.counting import count_all, count_some
from apps.accruals.operations.judging import judge_due
from apps.accruals.operations.withdrawing import withdraw
from apps.accruals.operations.years import freeze_run
from apps.audit.models import Alarm
from apps.kernel.errors import KanpuError
from apps.purchases.models import Followup
from apps.residents.models import JudgingDue
from apps.residents.queries import was_resident
from apps.residents.recognition import recognise
from tests.integration.test_withdrawing import archived
from tests.judging import august, in_thread, key, lose, moved, on, rebuilt_alike, say
from tests.till import RawTill, Record, fates, send, totals
from tests.world import TERMINAL, World
from tests.year_end import count

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(("looked_at", "changed"), [(3, 2), (3, 400), (5_000, 2), (1, 1)])
def test_many_sales_are_judged_in_pieces_and_all_in_the_end(
    world: World, tills: tuple[RawTill, RawTill], monkeypatch: pytest.MonkeyPatch, looked_at: int, changed: int
) -> None:
    monkeypatch.setattr("apps.accruals.operations.judging.SALES_LOOKED_AT", looked_at)
    monkeypatch.setattr("apps.accruals.operations.judging.SALES_CHANGED", changed)
    till, _ = tills
    one, two = world.residents
    for day in range(1, 11):
        till.sale(one if day % 3 else two, at=on(day), reduced=1)
        till.sale(one, at=on(day), reduced=1)
    count(till)
    lose(one, on(2), counted=False)
    lose(two, on(5), counted=False)
    assert judge_due() == 15 + 2
    assert (august(one), august(two)) == (2, 1)
    assert not JudgingDue.objects.exists()


def test_what_cannot_be_judged_raises_an_alarm_and_keeps_nobody_else_waiting(
    world: World, tills: tuple[RawTill, RawTill]
) -> None:
    till, _ = tills
    one, two = world.residents
    count(till, till.sale(one, at=on(3), reduced=1), till.sale(two, at=on(3), reduced=1))
    Withheld.objects.create(
        resident_ref=one, terminal_id=key(1)[0], seq=99, tax_year=2017, at=datetime.fromisoformat(on(3)),
        card=10**12, counter=1, status="held", code="card_suspended", decided_at=timezone.now(),
    )  # fmt: skip
    lose(one, on(2), counted=False)
    lose(two, on(2))
    assert (august(one), august(two)) == (1, 0)
    assert Alarm.objects.filter(kind="judging_failed").count() == 1
    Withheld.objects.filter(seq=99).delete()
    count_all()
    assert august(one) == 0


def test_a_sale_counted_by_somebody_who_read_the_card_before_it_was_suspended_is_held_too(
    world: World, tills: tuple[RawTill, RawTill], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker has judged the card and not committed when the suspension comes."""
    till, _ = tills
    one = world.residents[0]
    send(till, till.sale(at=on(3), reduced=1000))
    judged, go_on = threading.Event(), threading.Event()
    paused_at(monkeypatch, judged, go_on)
    counting = threading.Thread(target=in_thread(lambda: count_some(now=timezone.now())))
    counting.start()
    assert judged.wait(10)
    lose(one, on(2), counted=False)
    judging = threading.Thread(target=in_thread(judge_due))
    judging.start()
    judging.join(0.5)
    assert judging.is_alive()
    go_on.set()
    counting.join()
    judging.join()
    assert (totals(), fates()) == ({}, {(TERMINAL, 1): "held card_suspended"})


def paused_at(monkeypatch: pytest.MonkeyPatch, judged: threading.Event, go_on: threading.Event) -> None:

    def slow(*arguments: Any) -> Any:
        found = recognise(*arguments)
        judged.set()
        assert go_on.wait(20)
        return found

    monkeypatch.setattr("apps.accruals.operations.counting.recognise", slow)


def test_a_sale_claimed_by_somebody_of_whom_it_was_not_known_that_they_had_left_is_rejected_too(
    world: World, tills: tuple[RawTill, RawTill], monkeypatch: pytest.MonkeyPatch
) -> None:
    till, _ = tills
    one, code = world.residents[0], "0123456789ABCDEFGHJKMNPQR0"
    count(till, till.sale(at=on(21), reduced=300, claim=claim_of(code)))
    judged, go_on = threading.Event(), threading.Event()

    def slow(*arguments: Any) -> bool:
        found = was_resident(*arguments)
        judged.set()
        assert go_on.wait(20)
        return found

    monkeypatch.setattr("apps.accruals.operations.claiming.was_resident", slow)
    claiming = threading.Thread(target=in_thread(lambda: claim_purchase(one, code, now=timezone.now(), actor="me")))
    claiming.start()
    assert judged.wait(10)
    moving = threading.Thread(target=in_thread(lambda: moved(one, date(2017, 8, 10))))
    moving.start()
    moving.join(0.5)
    go_on.set()
    claiming.join()
    moving.join()
    assert (totals(), fates()) == ({}, {(TERMINAL, 1): "rejected card_not_valid"})


def test_judging_that_dies_half_way_is_done_again_from_the_start(
    world: World, tills: tuple[RawTill, RawTill], monkeypatch: pytest.MonkeyPatch
) -> None:
    till, _ = tills
    count(till, till.sale(at=on(3), reduced=1000), till.sale(at=on(4), reduced=1))
    with monkeypatch.context() as dying:
        dying.setattr("apps.accruals.operations.judging.done", killed)
        lose(world.residents[0], on(2), counted=False)
        with pytest.raises(SystemExit):
            judge_due()
    assert august() == 1001
    assert not Followup.objects.exists()
    count_all()
    assert (august(), Followup.objects.count()) == (0, 2)


def killed(*_: object) -> None:
    raise SystemExit


class AtOnce:
    """Work done over and over by a thread each, until it is ended."""

    def __init__(self) -> None:
        self.stop, self.threads, self.failures = threading.Event(), list[threading.Thread](), list[Exception]()

    def repeat(self, work: Callable[[], object]) -> None:
        self.threads.append(threading.Thread(target=in_thread(lambda: self._repeat(work))))
        self.threads[-1].start()

    def _repeat(self, work: Callable[[], object]) -> None:
        while not self.stop.is_set():
            try:
                with suppress(OperationalError, KanpuError):  # a deadlock was broken; what is refused is refused
                    work()
            except Exception as error:
                self.failures.append(error)
                raise

    def end(self) -> list[Exception]:
        """Wait for all. Returns what failed."""
        self.stop.set()
        for thread in self.threads:
            thread.join()
        return self.failures


def test_counting_judging_answering_withdrawing_and_freezing_at_once_leave_books_that_agree(
    world: World, tills: tuple[RawTill, RawTill], archive: Path
) -> None:
    till, other = tills
    rng, one = random.Random(5), world.residents[0]
    sales = [till.sale(one, at=on(1 + n % 28), reduced=100) for n in range(60)]
    at_once = AtOnce()

    def one_of() -> int:
        return rng.randint(1, len(sales))

    def withdraws() -> None:
        if rng.random() < 0.05:
            withdraw(one, *key(one_of()), now=timezone.now(), actor="me")

    def archives() -> None:
        time.sleep(0.05)
        archive_year(2017, now=timezone.now())

    def freezes() -> None:
        time.sleep(0.3)
        freeze_run(2017, now=timezone.now())

    at_once.repeat(count_all)
    at_once.repeat(count_all)
    at_once.repeat(lambda: say(one, one_of(), mine=rng.random() < 0.7))
    at_once.repeat(withdraws)
    at_once.repeat(archives)
    at_once.repeat(freezes)
    for n, sale in enumerate(sales):
        send(till, sale)
        if n % 3 == 0:
            send(other, other.give_back(sale, terminal=TERMINAL, reduced=rng.randint(1, 60)))
        if n % 10 == 5:
            with suppress(OperationalError):
                lose(one, on(rng.randint(5, 28)), counted=False)
    time.sleep(1)
    assert at_once.end() == []
    count_all()
    archive_year(2017, now=timezone.now())
    assert rebuilt_alike()
    assert not Alarm.objects.exists()
    left = sum(amount for amount, _ in totals(one).values())
    assert sum(sum(amounts) for _, _, amounts in archived(archive)) == left
    assert left == sum(100 - returned(other, sale) for sale in sales if counts(one, sale["seq"]))


def returned(other: RawTill, sale: Record) -> int:
    return sum(record["lines"][0]["amount"] for record in other.records if record["of"]["seq"] == sale["seq"])


def counts(resident: UUID, seq: int) -> bool:
    """Whether a sale has entries, and is not remembered as one that does not count."""
    here = {"resident_ref": resident, "terminal_id": key(seq)[0], "seq": seq}
    return (
        Entry.objects.filter(**here).exists() and not Withheld.objects.filter(**here).exclude(status="counted").exists()
    )

"""Purchases, returns, lost cards, moves, answers, withdrawals, office's rulings in any order: totals are one function.

What counts of a sale depends on when it was bought, on when the card was away, on the days of residence and on the
resident's last answer, and on nothing else: not on when any of it became known.
"""

import shutil
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accruals.models import ArchivePart, Entry, Withheld
from apps.accruals.operations.amending import amend_sale, deny_sale
from apps.accruals.operations.answering import answer
from apps.accruals.operations.archiving import archive_year
from apps.accruals.operations.counting import count_all
from apps.accruals.operations.restoring import restore_archive
from apps.accruals.operations.withdrawing import PurchaseMissing, TooLateToWithdraw, withdraw
from apps.accruals.operations.years import freeze_run
from apps.audit.models import Alarm
from apps.merchants.models import Terminal
from apps.purchases.following import Key
from apps.residents.models import Card, CardSuspension, JudgingDue, Resident
from apps.residents.operations.card_life import resume_card, suspend_cards
from apps.residents.operations.judging_due import judge_again
from apps.schemes.models import TaxYear
from tests.examples import examples
from tests.integration.test_withdrawing import archived
from tests.judging import rebuilt_alike
from tests.till import RawTill, Record, forget_all, send, totals
from tests.world import TERMINAL, World

pytestmark = pytest.mark.django_db(transaction=True)
TOKYO = ZoneInfo("Asia/Tokyo")
DAYS = st.integers(1, 28)
SALES = st.integers(0, 3)
STEPS = st.one_of(
    st.tuples(st.just("sell"), SALES),
    st.tuples(st.just("return"), SALES, st.integers(1, 40)),
    st.tuples(st.just("void"), SALES),
    st.tuples(st.just("move"), SALES, DAYS),
    st.tuples(st.just("lose"), DAYS),
    st.tuples(st.just("find")),
    st.tuples(st.just("leave"), st.none() | DAYS),
    st.tuples(st.just("confirm"), SALES),
    st.tuples(st.just("deny"), SALES),
    st.tuples(st.just("withdraw"), SALES),
    st.tuples(st.just("amend"), SALES, st.integers(1, 150)),
    st.tuples(st.just("object"), SALES),
    st.tuples(st.just("count")),
    st.tuples(st.just("archive")),
    st.tuples(st.just("freeze")),
)


def at(day: int) -> datetime:
    return datetime(2017, 8, day, 10, tzinfo=TOKYO)


@dataclass
class Sold:
    """A sale of the model: on which day, what was returned of its 100, whether the shop or the office changed it."""

    day: int
    returned: int = 0
    voided: bool = False
    amended: int = 100
    answer: str = ""
    asked: bool = False
    gone: bool = False

    @property
    def left(self) -> int:
        """What is left of it."""
        return 0 if self.voided else max(0, self.amended - self.returned)


@dataclass
class Model:
    """The whole rule: ten lines."""

    sales: dict[int, Sold] = field(default_factory=dict)
    lost_since: int | None = None
    leaves: int | None = None

    def counts(self, sold: Sold) -> bool:
        """Whether a sale counts."""
        resident = self.leaves is None or sold.day < self.leaves
        held = self.lost_since is not None and sold.day >= self.lost_since
        mine = sold.answer == "confirmed" if held else sold.answer != "denied"
        return resident and mine and not sold.gone

    def total(self) -> int:
        """What the resident's August comes to."""
        return sum(sold.left for sold in self.sales.values() if self.counts(sold))


class Play:
    """The same steps for the model and for the real thing."""

    def __init__(self, world: World, till: RawTill, archive: Path) -> None:
        forget_all()
        till.records.clear()
        shutil.rmtree(archive, ignore_errors=True)
        ArchivePart.objects.all().delete()
        TaxYear.objects.update(open_run=1, open_part=1)
        Resident.objects.filter(ref=world.residents[0]).update(resident_to=None)
        CardSuspension.objects.all().delete()
        JudgingDue.objects.all().delete()
        self.till, self.one, self.model = till, world.residents[0], Model()
        self.terminal_id = Terminal.objects.get(code=TERMINAL).pk
        self.sent: dict[int, Record] = {}

    def step(self, name: str, *what: Any) -> None:
        sold = self.model.sales.get(what[0]) if what else None
        if name in ("return", "void", "move", "confirm", "deny", "withdraw", "amend", "object") and not sold:
            return
        getattr(self, f"do_{name}")(*what)

    def do_count(self) -> None:
        count_all()

    def do_archive(self) -> None:
        archive_year(2017, now=timezone.now())

    def do_freeze(self) -> None:
        count_all()
        freeze_run(2017, now=timezone.now())

    def do_sell(self, number: int) -> None:
        if number not in self.sent:
            day = 5 + 6 * number
            self.model.sales[number] = Sold(day)
            self.sent[number] = self.till.sale(self.one, at=at(day).isoformat(), reduced=100)
            send(self.till, self.sent[number])

    def do_return(self, number: int, amount: int) -> None:
        sold = self.model.sales[number]
        if not sold.voided and amount <= 100 - sold.returned:
            sold.returned += amount
            send(self.till, self.till.give_back(self.sent[number], reduced=amount))

    def do_void(self, number: int) -> None:
        self.model.sales[number].voided = True
        send(self.till, self.till.void(self.sent[number]))

    def do_move(self, number: int, day: int) -> None:
        sold = self.model.sales[number]
        if not sold.voided:
            sold.day = day
            send(self.till, self.till.correct(self.sent[number], reduced=100, sold_at=at(day).isoformat()))

    def do_amend(self, number: int, amount: int) -> None:
        """The office says that something else was sold."""
        try:
            amend_sale(self.one, self._key(number), {"reduced": amount}, now=timezone.now())
        except PurchaseMissing:
            return
        self.model.sales[number].amended = amount

    def do_object(self, number: int) -> None:
        """The office says that a counted sale is not the resident's."""
        try:
            deny_sale(self.one, self._key(number), now=timezone.now())
        except PurchaseMissing:
            return
        self.model.sales[number].answer = "denied"

    def _key(self, number: int) -> Key:
        return Key(self.terminal_id, self.sent[number]["seq"])

    def do_lose(self, day: int) -> None:
        since, now = at(day), timezone.now()
        self.model.lost_since = min(day, self.model.lost_since or day)
        suspend_cards(self.one, lost_since=since, channel=CardSuspension.Channel.PHONE, at=now, actor="test")

    def do_find(self) -> None:
        card = Card.objects.get(resident=self.one)
        if card.suspensions.filter(lifted_at=None).exists():
            resume_card(card.pk, channel=CardSuspension.Channel.PORTAL, at=timezone.now(), actor="test")

    def do_leave(self, day: int | None) -> None:
        self.model.leaves = day
        with transaction.atomic():
            Resident.objects.filter(ref=self.one).update(resident_to=date(2017, 8, day) if day else None)
            judge_again([self.one], since=datetime(2017, 1, 1, tzinfo=UTC), at=timezone.now())

    def do_confirm(self, number: int) -> None:
        self._answer(number, "confirmed")

    def do_deny(self, number: int) -> None:
        self._answer(number, "denied")

    def _answer(self, number: int, said: str) -> None:
        """Only what the resident is asked about is answered, and what they are asked about is what was held."""
        try:
            answer(self.one, [(self.terminal_id, self.sent[number]["seq"])], confirm=said == "confirmed",
                   now=timezone.now(), actor="test")  # fmt: skip
        except PurchaseMissing:
            return
        self.model.sales[number].answer = said

    def do_withdraw(self, number: int) -> None:
        try:
            withdraw(self.one, self.terminal_id, self.sent[number]["seq"], now=timezone.now(), actor="test")
        except (PurchaseMissing, TooLateToWithdraw):
            return
        self.model.sales[number].gone = True


@pytest.mark.property
@settings(max_examples=examples(20), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=3, max_size=25))
def test_whatever_comes_in_whatever_order_the_totals_are_what_the_rule_says(
    world: World, tills: tuple[RawTill, RawTill], archive: Path, steps: list[tuple[Any, ...]]
) -> None:
    play = Play(world, tills[0], archive)
    for step in [*[("sell", number) for number in range(3)], *steps]:
        play.step(*step)
    count_all()
    assert sum(amount for amount, _ in totals(play.one).values()) == play.model.total()
    for number, sold in play.model.sales.items():
        assert_state(play, play.sent[number]["seq"], sold)
    assert rebuilt_alike()
    archive_year(2017, now=timezone.now())
    assert sum(sum(amounts) for _, _, amounts in archived(archive)) == play.model.total()
    assert restore_archive(2017, now=timezone.now(), actor="test") == []
    assert not Alarm.objects.exists()


def assert_state(play: Play, seq: int, sold: Sold) -> None:
    """A withdrawn sale is nowhere; one that does not count is remembered, unless nothing can be left of it."""
    entries = Entry.objects.filter(resident_ref=play.one, seq=seq, of_seq=None) | Entry.objects.filter(of_seq=seq)
    withheld = Withheld.objects.filter(resident_ref=play.one, seq=seq).exclude(status="counted")
    if sold.gone:
        assert not entries.exists()
        assert not withheld.exists()
    elif sold.left:
        assert withheld.exists() is not play.model.counts(sold)

"""Tills, cards, returns, runs and payouts in any order, against a model of ten lines, on the real database.

Whatever happens in whatever order, in the end each resident was paid, once, the most that any run found for them.
With KANPU_LONG=1 (`make long`) there are more and longer histories.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.db.models import Sum
from django.utils import timezone
from hypothesis import HealthCheck, Phase
from hypothesis import settings as playing
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from apps.accruals.operations.counting import count_all
from apps.payouts.models import Attempt, Batch, ResultFile
from apps.payouts.operations.reissuing import reissue
from apps.payouts.queries.reconciling import failed_of, reckoning
from apps.refunds.models import Refund, Run, RunState
from apps.refunds.operations.approving import approve_run, pay_run
from apps.residents.models import CardSuspension
from apps.residents.operations.card_life import suspend_cards
from apps.simulator.payday import pay, set_up_bank
from tests.kept_world import some_world
from tests.payouts import answer, known, taken
from tests.till import RawTill, Record, send, totals
from tests.world import YEAR, World, auditor
from tests.year_end import to_verified

pytestmark = pytest.mark.django_db(transaction=True)
TOKYO = ZoneInfo("Asia/Tokyo")
LONG = bool(os.environ.get("KANPU_LONG"))
HISTORIES, STEPS = (150, 40) if LONG else (5, 14)
SIGNERS = ("ann", "ben")
residents, days, sales = st.integers(0, 1), st.integers(1, 28), st.integers(0, 9)


@dataclass
class Model:
    """The whole rule, in ten lines."""

    sold: list[list[int]] = field(default_factory=list)  # resident, day, what is left
    lost: dict[int, int] = field(default_factory=dict)  # resident: since which day
    paid: dict[int, int] = field(default_factory=lambda: {0: 0, 1: 0})

    def spent(self, one: int) -> int:
        return sum(left for who, day, left in self.sold if who == one and day < self.lost.get(one, 99))

    def entitled(self, one: int) -> int:
        return min(max(2 * self.spent(one) // 110, self.spent(one) > 0), 4_000)

    def run(self) -> None:
        self.paid = {one: max(paid, self.entitled(one)) for one, paid in self.paid.items()}


@dataclass
class Place:
    """Where files are, and Django's settings."""

    folder: Path
    settings: Any
    numbers: Iterator[int] = field(default_factory=count)

    def world(self) -> World:
        """A new world in the emptied database."""
        call_command("flush", interactive=False, verbosity=0, inhibit_post_migrate=True)
        folder = self.folder / f"{next(self.numbers)}"
        folder.mkdir()
        for name, path in (("KEYRING", "ring"), ("VAULT_KEYS", "vault"), ("ARCHIVE", "archive"), ("PAYOUTS", "paid")):
            setattr(self.settings, f"KANPU_{name}", folder / path)
        return some_world(folder)


class History(RuleBasedStateMachine):
    """One history, for the model and for the real thing."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        world = place.world()
        self.till, self.refs, self.model = RawTill(world), world.residents, Model()
        self.records: list[Record] = []  # of the sales
        self.unsent: list[Record] = []
        self.found, self.ended = dict.fromkeys(self.refs, 0), 0
        for ref in self.refs:
            known(ref)
        for name in SIGNERS:
            auditor(name)
        set_up_bank()

    @rule(who=residents, day=days, amount=st.integers(1, 150_000), online=st.booleans())
    def sell(self, who: int, day: int, amount: int, online: bool) -> None:
        self.model.sold.append([who, day, amount])
        self.records.append(self.till.sale(self.refs[who], at=at(day).isoformat(), reduced=amount))
        self._keep(self.records[-1], online=online)

    @precondition(lambda self: self.records)
    @rule(number=sales, share=st.integers(1, 100), online=st.booleans())
    def give_back(self, number: int, share: int, online: bool) -> None:
        sold = self.model.sold[number % len(self.records)]
        if amount := sold[2] * share // 100:
            sold[2] -= amount
            self._keep(self.till.give_back(self.records[number % len(self.records)], reduced=amount), online=online)

    @precondition(lambda self: self.records)
    @rule(number=sales, online=st.booleans())
    def void(self, number: int, online: bool) -> None:
        self.model.sold[number % len(self.records)][2] = 0
        self._keep(self.till.void(self.records[number % len(self.records)]), online=online)

    def _keep(self, record: Record, *, online: bool) -> None:
        """Sent at once, or with all that waits, the last first; a till may be offline for days."""
        self.unsent.append(record)
        if online:
            send(self.till, self.unsent.pop())

    @precondition(lambda self: self.till.records)
    @rule()
    def send_everything_again(self) -> None:
        send(self.till)
        self.unsent.clear()

    @rule(who=residents, day=days)
    def lose_the_card(self, who: int, day: int) -> None:
        self.model.lost[who] = min(day, self.model.lost.get(who, 99))
        channel = CardSuspension.Channel.PHONE
        suspend_cards(self.refs[who], lost_since=at(day), channel=channel, at=timezone.now(), actor="test")

    @rule()
    def look_at_the_totals(self) -> None:
        if not self.unsent:
            count_all()
            for one, ref in enumerate(self.refs):
                spent = sum(amount for (_, _, _, tier), (amount, _) in totals(ref).items() if tier == "reduced")
                assert spent == self.model.spent(one)

    @precondition(lambda self: self.records)
    @rule()
    def end_the_year(self) -> None:
        self.send_everything_again()
        count_all()
        run = to_verified()
        changed = Refund.objects.filter(run=run.number)  # a later run has only those for whom it differs
        self.found |= dict(changed.values_list("resident_ref", "entitled_minor"))
        assert [self.found[ref] for ref in self.refs] == [self.model.entitled(one) for one in (0, 1)]
        self.model.run()
        self.ended += 1
        for name in SIGNERS:
            approve_run(YEAR, by=name, actor="test")
        pay_run(YEAR, actor="test")

    @precondition(lambda self: self.ended)
    @rule(codes=st.lists(st.sampled_from("018"), min_size=2, max_size=2), again=st.booleans())
    def let_the_bank_pay(self, codes: list[str], again: bool) -> None:
        for run in Run.objects.filter(state=RunState.PAYING).order_by("number"):
            pay(run, auditors=SIGNERS, actor="test")
            for batch in _unanswered():
                said = Attempt.objects.filter(batch=batch).order_by("pk").values_list("reference", flat=True)
                results = answer(batch, dict(zip(said, codes, strict=False)), name=f"{batch.pk}.txt")
                taken(results)
                if again:
                    taken(results)
            reissue(failed_of(run), to_same_account=True, actor="test")
        assert all(self._paid().get(ref, 0) <= self.model.paid[one] for one, ref in enumerate(self.refs))

    def _paid(self) -> Mapping[UUID, int]:
        rows = Attempt.objects.filter(state="paid").values("obligation__resident_ref").annotate(all=Sum("amount_minor"))
        return {row["obligation__resident_ref"]: row["all"] for row in rows}

    def teardown(self) -> None:
        """Everybody got the most that any run found them entitled to, and nobody anything twice."""
        self.let_the_bank_pay(["0", "0"], again=True)
        assert [self._paid().get(ref, 0) for ref in self.refs] == list(self.model.paid.values())
        assert all(reckoning(run).is_done for run in Run.objects.filter(state=RunState.PAYING))


def at(day: int) -> datetime:
    return datetime(2017, 8, day, 10, tzinfo=TOKYO)


def _unanswered() -> list[Batch]:
    answered = ResultFile.objects.values_list("file_name", flat=True)
    return [one for one in Batch.objects.filter(state=Batch.State.SENT) if f"{one.pk}.txt" not in answered]


def test_everybody_is_paid_once_what_they_are_entitled_to_whatever_happens(
    transactional_db: None, settings: Any, tmp_path: Path
) -> None:
    place = Place(tmp_path, settings)
    anew: Any = lambda: History(place)  # noqa: E731 - a factory, where the library's types want a class
    run_state_machine_as_test(
        anew,
        settings=playing(
            max_examples=HISTORIES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink] if LONG else [Phase.generate],
        ),
    )

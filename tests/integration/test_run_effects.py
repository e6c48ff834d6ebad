"""What an approved run changes: differences, debts, payments, decisions, letters, lapses."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pypdf import PdfReader

from apps.audit.models import AccessRecord
from apps.refunds.models import Decision, LapseWarning, Refund, Run, RunState, Settlement
from apps.refunds.operations.approving import (
    NotSettled,
    close_run,
    pay_run,
)
from apps.refunds.operations.deciding import (
    DecisionClosed,
    NotYetNotified,
    ToldTooEarly,
    TooLate,
    appeal,
    decide_appeal,
    notify,
)
from apps.refunds.operations.freezing import freeze
from apps.refunds.operations.lapsing import lapse_refunds
from apps.refunds.operations.letters import print_letters
from apps.refunds.operations.netting import PaidTooMuch, record_payments
from apps.refunds.operations.steps import WrongState
from apps.refunds.queries.replays import replay
from apps.refunds.queries.runs import latest_run
from apps.residents.models import Resident
from tests.identities import enter
from tests.till import RawTill
from tests.world import World
from tests.year_end import YEAR, count, dues, to_approved

pytestmark = pytest.mark.django_db(transaction=True)
DECIDED_AT = datetime(2018, 3, 19, tzinfo=UTC)


def test_a_supplementary_run_gives_differences_and_what_was_too_much_is_netted(till: RawTill, world: World) -> None:
    one, two = world.residents
    sale = till.sale(one, reduced=55_000)
    count(till, sale, till.sale(two, reduced=5_500))
    to_approved()
    count(till, till.give_back(sale, reduced=22_000))
    second = to_approved()
    assert dues(2) == {one: (600, 1000, -400)}
    assert (second.residents, second.entitled_minor, second.statements, second.due_minor) == (2, 700, 1, -400)
    count(till, till.sale(one, reduced=16_500))
    to_approved()
    assert dues(3) == {one: (900, 600, 300)}
    netted = Settlement.objects.get()
    assert (netted.kind, netted.amount_minor, netted.run, netted.against_run) == ("netted", 300, 3, 2)
    count(till, till.sale(one, reduced=27_500))
    to_approved()
    assert list(Settlement.objects.order_by("run").values_list("run", "amount_minor")) == [(3, 300), (4, 100)]


def test_a_year_and_its_supplements_give_what_one_assessment_would(till: RawTill, world: World) -> None:
    one, two = world.residents
    first = [till.sale(one, reduced=105_000), till.sale(two, reduced=300_000)]
    count(till, *first)
    to_approved()
    count(till, till.give_back(first[1], reduced=150_000), till.sale(one, reduced=1))
    to_approved()
    count(till, till.void(first[0]))
    to_approved()
    entitled = {ref: sum(due[2] for run in (1, 2, 3) if (due := dues(run).get(ref))) for ref in world.residents}
    assert entitled == {one: 1, two: 150_000 * 2 // 110}
    assert all(amount >= 0 for amount in entitled.values())


def test_a_run_closes_only_when_all_that_is_due_is_settled(till: RawTill, world: World) -> None:
    count(till, till.sale(reduced=5500))
    run = to_approved()
    assert pay_run(YEAR, actor="test").state == RunState.PAYING
    with pytest.raises(NotSettled, match="1 refunds of 2017 run 1, 100 minor units"):
        close_run(YEAR, actor="test")
    record_payments(run, [(world.residents[0], 100)], at=timezone.now(), actor="test")
    assert close_run(YEAR, actor="test").state == RunState.CLOSED
    with pytest.raises(PaidTooMuch, match="0 minor units are left"):
        record_payments(run, [(world.residents[0], 100)], at=timezone.now(), actor="test")


def test_an_approved_run_is_paid_and_closed_though_a_newer_one_was_frozen(till: RawTill, world: World) -> None:
    count(till, till.sale(reduced=5500))
    first = to_approved()
    count(till, till.sale(reduced=5500))
    freeze(YEAR, actor="test")
    assert (pay_run(YEAR, actor="test").number, latest_run(YEAR).state) == (1, "frozen")
    record_payments(first, [(world.residents[0], 100)], at=timezone.now(), actor="test")
    assert close_run(YEAR, actor="test", number=1).state == RunState.CLOSED
    with pytest.raises(WrongState):
        pay_run(YEAR, actor="test", number=2)


def test_a_refund_is_replayed_from_its_purchases_and_a_bent_one_shows(till: RawTill, world: World) -> None:
    one = world.residents[0]
    sale = till.sale(one, reduced=11_000, standard=300)
    wrong = till.sale(one, reduced=9_999)
    count(till, sale, wrong, till.give_back(sale, reduced=5_500), till.correct(wrong, reduced=1_100))
    count(till, till.void(till.sale(one, reduced=70_000)), till.records[-2])
    to_approved()
    found = replay(one, YEAR)
    assert (found.identical, found.refund_minor, [dict(left.amounts) for left in found.purchases]) == (
        True, 120, [{"reduced": 5_500, "standard": 300}, {"reduced": 1_100}, {}]
    )  # fmt: skip
    count(till, till.give_back(sale, reduced=5_500))
    assert replay(one, YEAR).identical
    to_approved()
    assert [replay(one, YEAR, run).refund_minor for run in (1, 2)] == [120, 20]
    Refund.objects.filter(run=2).update(entitled_minor=21, due_minor=-99)
    bent = replay(one, YEAR)
    assert [words.en for words in bent.differences] == ["Refund: kept ¥21, replayed ¥20"]
    with pytest.raises(SystemExit) as stopped:
        call_command("replay_refund", str(one), "2017")
    assert stopped.value.code == 1


def test_what_is_refused_or_reduced_is_a_decision_that_can_be_appealed_against(till: RawTill, world: World) -> None:
    one, two = world.residents
    sale = till.sale(one, reduced=1_000_000)
    count(till, sale, till.sale(two, reduced=5500))
    to_approved()
    decision = Decision.objects.get()
    assert (decision.resident_ref, decision.kind, decision.amount_minor) == (one, "reduced", 14_181)
    with pytest.raises(NotYetNotified):
        appeal(decision.pk, reason="too little", on=date(2018, 4, 1), actor="resident")
    with pytest.raises(ToldTooEarly):
        notify([decision.pk], on=date(2018, 3, 20), actor="test")
    Decision.objects.update(decided_at=DECIDED_AT)
    assert notify([decision.pk], on=date(2018, 3, 20), actor="test") == 1
    assert notify([decision.pk], on=date(2018, 5, 20), actor="test") == 0
    decision.refresh_from_db()
    assert decision.appeal_until == date(2018, 6, 20)
    with pytest.raises(TooLate, match="until 2018-06-20"):
        appeal(decision.pk, reason="too little", on=date(2018, 6, 21), actor="resident")
    appeal(decision.pk, reason="too little", on=date(2018, 6, 20), actor="resident")
    with pytest.raises(DecisionClosed):
        appeal(decision.pk, reason="again", on=date(2018, 6, 20), actor="resident")
    closed = decide_appeal(decision.pk, amended=False, outcome="the cap is the law", actor="user:ann")
    assert closed.state == "confirmed"
    count(till, till.give_back(sale, reduced=950_000))
    to_approved()
    assert list(Decision.objects.filter(run=2).values_list("kind", "amount_minor")) == [("reduced", 3_091)]


def test_letters_of_decisions_are_printed_once_and_the_time_to_appeal_begins(
    till: RawTill, world: World, tmp_path: Path
) -> None:
    one, two = world.residents
    count(till, till.sale(one, reduced=1_000_000), till.sale(two, reduced=2_000_000))
    to_approved()
    Decision.objects.update(decided_at=DECIDED_AT)
    more: dict[str, Any] = {"folder": tmp_path / "letters", "language": "ja", "actor": "test", "seen": lambda *_: None}
    assert print_letters(YEAR, sent_on=date(2018, 3, 20), **more) == (2, 2)
    assert print_letters(YEAR, sent_on=date(2018, 3, 21), **more) == (0, 0)
    names = sorted(path.name for path in (tmp_path / "letters").iterdir())
    assert names == [f"kanpu-decision-{decision}.pdf" for decision in Decision.objects.order_by("pk")]
    letter = PdfReader(tmp_path / "letters" / names[0])
    assert "2018年6月23日までに" in "".join(letter.pages[0].extract_text().split())
    assert set(Decision.objects.values_list("state", "appeal_until")) == {("notified", date(2018, 6, 23))}


def test_letters_of_decisions_go_to_who_the_vault_says_and_that_is_on_record(
    till: RawTill, world: World, tmp_path: Path, settings: Any
) -> None:
    for ref, amount, name in (
        (world.residents[0], 1_000_000, "𠮷田 髙子"), (world.residents[1], 2_000_000, "\N{GRINNING FACE}"),
    ):  # fmt: skip
        count(till, till.sale(ref, reduced=amount))
        enter(ref, name=name)
    to_approved()
    Decision.objects.update(decided_at=DECIDED_AT)
    more: dict[str, Any] = {"language": "ja", "actor": "operator:x", "seen": lambda *_: None}

    def printed(folder: str) -> dict[str, str]:
        Decision.objects.update(state="issued", notified_at=None, appeal_until=None)
        print_letters(YEAR, sent_on=date(2018, 3, 20), folder=tmp_path / folder, **more)
        paths = sorted((tmp_path / folder).iterdir())
        owners = Decision.objects.order_by("pk").values_list("resident_ref", flat=True)
        return {str(ref): PdfReader(path).pages[0].extract_text() for ref, path in zip(owners, paths, strict=True)}

    one, two = map(str, world.residents)
    letters = printed("a")
    assert "𠮷田 髙子 様" in letters[one]
    assert letters[two].startswith("参照番号")
    access = AccessRecord.objects.filter(resident_ref=one).get()
    assert (access.actor, access.role, access.purpose) == ("operator:x", "operator", "decision letters")
    Resident.objects.filter(pk=one).update(is_protected=True)
    assert printed("b")[one].startswith("参照番号")
    assert AccessRecord.objects.filter(resident_ref=one).count() == 1
    settings.KANPU_VAULT_KEYS = None
    assert printed("c")[one].startswith("参照番号")


def test_what_nobody_claims_lapses_after_five_years_with_warnings_before(till: RawTill, world: World) -> None:
    one, two = world.residents
    count(till, till.sale(one, reduced=5500), till.sale(two, reduced=11_000))
    run = to_approved()
    Run.objects.update(signed_2_at=datetime(2018, 3, 20, 12, tzinfo=UTC))
    record_payments(run, [(two, 200)], at=timezone.now(), actor="test")
    looks = [
        (date(2022, 3, 19), (0, 0, 0)),
        (date(2022, 3, 20), (1, 0, 0)),
        (date(2022, 3, 21), (0, 0, 0)),
        (date(2022, 12, 20), (1, 0, 0)),
        (date(2023, 2, 25), (1, 0, 0)),
        (date(2023, 3, 20), (0, 0, 0)),
    ]
    for today, expected in looks:
        assert lapse_refunds(today=today, actor="test") == expected, today
    assert lapse_refunds(today=date(2023, 3, 21), actor="test", dry_run=True) == (0, 1, 100)
    with pytest.raises(CommandError, match="yet to come"):
        call_command("lapse_refunds", "--on", str(timezone.localdate() + timedelta(days=1)))
    assert lapse_refunds(today=date(2023, 3, 21), actor="test") == (0, 1, 100)
    assert lapse_refunds(today=date(2023, 3, 22), actor="test") == (0, 0, 0)
    assert list(LapseWarning.objects.order_by("-months_ahead").values_list("months_ahead", flat=True)) == [12, 3, 1]
    pay_run(YEAR, actor="test")
    assert close_run(YEAR, actor="test").state == RunState.CLOSED

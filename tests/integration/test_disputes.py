"""Disputes: each kind to the refund that is put right, in open years and in settled ones; who may do what, when."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.accruals.disputes import Missing
from apps.accruals.models import Dispute, Entry, Withheld
from apps.accruals.operations.admitting import NotAdmitted
from apps.accruals.operations.amending import AmountsInvalid
from apps.accruals.operations.claiming import ClaimNotResident
from apps.accruals.operations.counting import count_all
from apps.accruals.operations.withdrawing import PurchaseMissing, withdraw
from apps.accruals.queries.shown import counted_page
from apps.audit.models import Alarm, Event
from apps.kernel.errors import KanpuError
from apps.merchants.models import ApiKey, Merchant, Terminal
from apps.merchants.operations import MerchantInvalid, enrol_terminal
from apps.purchases.queries import uncounted
from apps.refunds.operations import adjudicating, disputing
from apps.refunds.operations.adjudicating import ProposalChanged, SameOfficer, Verdict
from apps.refunds.operations.deciding import TooLate
from apps.refunds.operations.disputing import AlreadyDisputed, DayRefused, DisputeClosed, TooManyDisputes
from apps.refunds.operations.erasing import erase_year
from apps.refunds.queries.disputes import disputes_at, letter_of_dispute, page_of_dispute
from apps.refunds.queries.replays import replay
from apps.residents.models import Message
from apps.residents.operations.erasing import erase_resident
from apps.schemes.models import TaxYear
from tests.at_once import at_once
from tests.disputing import ANN, BEN, CAT, approve, decide, object_to, propose, report
from tests.judging import key, lose, on, rebuilt_alike, say
from tests.till import RawTill, fates, totals
from tests.world import TERMINAL, World
from tests.year_end import YEAR, count, dues, to_approved, to_verified

pytestmark = pytest.mark.django_db(transaction=True)
FOOD = 5_500  # brings 100 yen


def told(resident: UUID) -> list[str]:
    return list(Message.objects.filter(resident_ref=resident).order_by("pk").values_list("kind", flat=True))


def test_a_purchase_that_is_not_mine_no_longer_counts_with_its_returns(world: World, till: RawTill) -> None:
    one = world.residents[0]
    count(till, sale := till.sale(reduced=1000), till.sale(reduced=50))
    dispute = object_to(one, 1, words="I was abroad.")
    assert dispute.reply_due_date == timezone.localdate() + timedelta(days=30)
    propose(dispute)
    assert totals()[2017, 1, 8, "reduced"] == (1050, 2)
    approve(dispute)
    assert totals() == {(2017, 1, 8, "reduced"): (50, 1)}
    assert Withheld.objects.get().answer == "denied"
    assert fates()[TERMINAL, 1] == "rejected card_not_valid"
    count(till, till.give_back(sale, reduced=400))
    assert totals() == {(2017, 1, 8, "reduced"): (50, 1)}
    assert rebuilt_alike()
    assert told(one) == ["dispute_received", "dispute_decided"]
    assert say(one, 1, mine=True) == [("counted", "")]  # the resident was wrong after all
    assert totals()[2017, 1, 8, "reduced"] == (650, 2)


def test_a_claimed_purchase_can_be_disputed_too_and_stays_off_when_it_is_judged_again(
    world: World, till: RawTill
) -> None:
    one = world.residents[0]
    decide(report(one, reduced=1000))
    dispute = Dispute.objects.get()
    assert totals() == {(2017, 1, 8, "reduced"): (1000, 1)}
    objection = disputing.Objection(Dispute.Kind.NOT_MINE, "", {})
    sale = dispute.sale
    assert sale is not None
    decide(disputing.dispute_purchase(one, sale, objection, at=timezone.now(), actor="resident"))
    assert totals() == {}
    lose(one, on(1))
    assert totals() == {}
    assert rebuilt_alike()


def test_a_wrong_tier_is_put_right_and_what_the_shop_sends_after_that_has_its_order(
    world: World, till: RawTill
) -> None:
    one = world.residents[0]
    count(till, sale := till.sale(standard=FOOD), till.give_back(sale, standard=500))
    decide(object_to(one, 1, "wrong_tier", reduced=FOOD))
    assert totals() == {(2017, 1, 8, "reduced"): (5_000, 1)}
    count(till, till.correct(sale, standard=7_000))  # the office's word stands
    assert totals() == {(2017, 1, 8, "reduced"): (5_000, 1)}
    count(till, till.give_back(sale, standard=1_000))
    assert totals() == {(2017, 1, 8, "reduced"): (4_000, 1)}
    count(till, till.correct(sale, standard=7_000, sold_at=on(5, month=9)))
    assert totals() == {(2017, 1, 9, "reduced"): (4_000, 1)}
    assert rebuilt_alike()
    count(till, till.void(sale))
    assert totals() == {}
    assert rebuilt_alike()
    assert not Alarm.objects.exists()


def test_an_amended_sale_that_was_held_comes_back_as_amended(world: World, till: RawTill) -> None:
    one = world.residents[0]
    count(till, till.sale(at=on(3), standard=1000))
    decide(object_to(one, 1, "wrong_tier", reduced=1000))
    lose(one, on(2))
    assert totals() == {}
    say(one, 1, mine=True)
    assert totals() == {(2017, 1, 8, "reduced"): (1000, 1)}
    assert rebuilt_alike()


def test_other_amounts_than_the_resident_says_are_upheld_in_part(world: World, till: RawTill) -> None:
    count(till, till.sale(standard=1000))
    dispute = decide(object_to(world.residents[0], 1, "wrong_tier", reduced=1000), reduced=600, standard=400)
    assert dispute.state == "partly"
    assert totals() == {(2017, 1, 8, "reduced"): (600, 1), (2017, 1, 8, "standard"): (400, 1)}


def test_a_missing_purchase_is_entered_by_the_office_and_listed_with_the_shop_that_was_told(
    world: World, till: RawTill
) -> None:
    one = world.residents[0]
    decide(report(one, reduced=FOOD, standard=110))
    decide(report(one, at=on(4), reduced=10, shop="Baker"))
    assert totals(one) == {(2017, 1, 8, "reduced"): (5_510, 2), (2017, 1, 8, "standard"): (110, 1)}
    assert uncounted() == (0, 0)
    rows = counted_page(one, TaxYear.objects.get(year=YEAR), page=None).rows
    assert [row.shop and row.shop.store for row in rows] == ["Baker", "青果 山田"]
    count_all()
    assert totals(one)[2017, 1, 8, "reduced"] == (5_510, 2)
    assert rebuilt_alike()
    office = Merchant.objects.get(name="Refund office")
    assert not ApiKey.objects.filter(merchant=office).exists()
    assert Terminal.objects.filter(merchant=office).count() == 1
    withdraw(one, rows[0].terminal_id, rows[0].seq, now=timezone.now(), actor="resident")
    assert totals(one)[2017, 1, 8, "reduced"] == (FOOD, 1)


def test_nobody_else_enrols_the_offices_terminal(world: World) -> None:
    with pytest.raises(MerchantInvalid):
        enrol_terminal(Merchant.objects.get(name="Shop"), "refund-office", at=timezone.now(), actor="test")


def test_a_settled_year_gets_the_difference_with_the_next_run_and_old_runs_stay(world: World, till: RawTill) -> None:
    one, two = world.residents
    count(till, till.sale(reduced=FOOD), till.sale(standard=FOOD), till.sale(two, reduced=FOOD))
    to_approved()
    assert dues(1) == {one: (100, 0, 100), two: (100, 0, 100)}
    decide(object_to(one, 2, "wrong_tier", reduced=FOOD))
    decide(report(one, reduced=2 * FOOD))
    last = decide(object_to(two, 3))
    assert page_of_dispute(last).waits_for_a_run
    assert replay(one, YEAR, 1).identical
    assert replay(one, YEAR, 1).refund_minor == 100
    run = to_verified()  # both assessments agree
    assert run.differing == 0
    assert dues(2) == {one: (400, 100, 300), two: (0, 100, -100)}
    assert not page_of_dispute(last).waits_for_a_run
    for resident, refund_minor in ((one, 400), (two, 0)):
        found = replay(resident, YEAR, 2)
        assert found.identical
        assert found.refund_minor == refund_minor
    assert replay(one, YEAR, 1).refund_minor == 100
    assert rebuilt_alike()


def test_a_report_that_came_in_time_is_admitted_after_the_deadline(world: World, till: RawTill) -> None:
    in_time = report(world.residents[0], reduced=FOOD)
    TaxYear.objects.filter(year=YEAR).update(deadline_at=timezone.now())
    with pytest.raises(DayRefused, match="year_closed"):
        report(world.residents[0], at=on(4), reduced=1)
    decide(in_time)
    assert totals()[2017, 1, 8, "reduced"] == (FOOD, 1)


def test_what_cannot_have_been_bought_is_not_taken(world: World, till: RawTill) -> None:
    one = world.residents[0]
    impossible: list[tuple[str, dict[str, int], type[KanpuError]]] = [
        ("2012-08-03T10:00:00+09:00", {"reduced": 1}, DayRefused),
        ("2999-08-03T10:00:00+09:00", {"reduced": 1}, DayRefused),
        (on(3), {"unheard_of": 1}, AmountsInvalid),
        (on(3), {"reduced": 0}, AmountsInvalid),
        (on(3), {}, AmountsInvalid),
    ]
    for at, amounts, error in impossible:
        told = Missing("Baker", datetime.fromisoformat(at), "", amounts)
        with pytest.raises(error):
            disputing.report_missing(one, told, words="", at=timezone.now(), actor="resident")
    TaxYear.objects.filter(year=YEAR).update(starts_at=datetime(2015, 12, 31, 15, tzinfo=UTC))
    with pytest.raises(ClaimNotResident):
        report(one, at="2016-08-03T10:00:00+09:00", reduced=1)
    assert not Dispute.objects.exists()


def test_only_ones_own_counted_purchases_are_disputed_and_each_once(world: World, till: RawTill) -> None:
    one, two = world.residents
    count(till, till.sale(reduced=1000), till.sale(two, reduced=5))
    with pytest.raises(PurchaseMissing):
        object_to(one, 2)
    with pytest.raises(PurchaseMissing):
        object_to(one, 99)
    with pytest.raises(AmountsInvalid):
        object_to(one, 1, "wrong_tier", reduced=1000)
    refused = object_to(one, 1)
    with pytest.raises(AlreadyDisputed):
        object_to(one, 1)
    decide(refused, uphold=False)
    with pytest.raises(AlreadyDisputed):  # there is the appeal
        object_to(one, 1)
    withdrawn = object_to(one, 1, "wrong_tier", standard=1000)
    disputing.withdraw_dispute(withdrawn.pk, at=timezone.now(), actor="resident")
    decide(object_to(one, 1, "wrong_tier", standard=1000))
    assert totals()[2017, 1, 8, "standard"] == (1000, 1)
    report(one, reduced=1)
    with pytest.raises(AlreadyDisputed):
        report(one, reduced=1)


def test_what_is_sent_many_times_at_once_is_one_dispute_and_the_limit_holds(world: World, till: RawTill) -> None:
    one = world.residents[0]

    def sent(minute: int) -> str:
        report(one, at=f"2017-08-03T10:{minute:02}:00+09:00", reduced=1)
        return "taken"

    assert sorted(at_once(sent, [0] * 8)) == ["already_disputed"] * 7 + ["taken"]
    said = at_once(sent, range(1, 25))
    assert (said.count("taken"), said.count("too_many_disputes")) == (19, 5)


def test_nobody_buries_the_office(world: World, till: RawTill) -> None:
    for minute in range(20):
        report(world.residents[0], at=f"2017-08-03T10:{minute:02}:00+09:00", reduced=1)
    with pytest.raises(TooManyDisputes):
        report(world.residents[0], at=on(4), reduced=1)


def test_who_proposes_does_not_approve_and_an_appeal_is_a_third_ones(world: World, till: RawTill) -> None:
    one = world.residents[0]
    count(till, till.sale(standard=FOOD))
    dispute = object_to(one, 1, "wrong_tier", reduced=FOOD)
    propose(dispute, uphold=False)
    with pytest.raises(SameOfficer):
        approve(dispute, actor=ANN)
    with pytest.raises(ProposalChanged):
        adjudicating.approve(dispute.pk, shown="", at=timezone.now(), actor=BEN)
    assert approve(dispute).state == "refused"
    assert totals() == {(2017, 1, 8, "standard"): (FOOD, 1)}
    disputing.appeal_dispute(dispute.pk, words="Rice is food.", at=timezone.now(), actor="resident")
    verdict = Verdict(uphold=True, amounts={"reduced": FOOD}, reasons="Rice is food.")
    for actor in (ANN, BEN):
        with pytest.raises(SameOfficer):
            adjudicating.decide_appeal(dispute.pk, verdict, at=timezone.now(), actor=actor)
    decided = adjudicating.decide_appeal(dispute.pk, verdict, at=timezone.now(), actor=CAT)
    assert (decided.state, decided.appeal_decided_by) == ("upheld", CAT)
    assert totals() == {(2017, 1, 8, "reduced"): (FOOD, 1)}
    assert letter_of_dispute(page_of_dispute(decided))["kind"] == "dispute_upheld"
    for changed in ({"approved_by": ANN}, {"appeal_decided_by": BEN}, {"state": "refused"}, {"proposed_by": ""}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Dispute.objects.filter(pk=dispute.pk).update(**changed)


def test_an_appeal_about_a_purchase_that_was_admitted_in_part_amends_it(world: World, till: RawTill) -> None:
    one = world.residents[0]
    dispute = decide(report(one, reduced=1000), reduced=400)
    assert totals(one)[2017, 1, 8, "reduced"] == (400, 1)
    disputing.appeal_dispute(dispute.pk, words="No.", at=timezone.now(), actor="resident")
    verdict = Verdict(uphold=True, amounts={"reduced": 1000}, reasons="Yes.")
    adjudicating.decide_appeal(dispute.pk, verdict, at=timezone.now(), actor=CAT)
    assert totals(one)[2017, 1, 8, "reduced"] == (1000, 1)
    assert Entry.objects.filter(kind="sale").count() == 1
    assert rebuilt_alike()


def test_an_appeal_that_is_refused_leaves_all_as_it_was_and_comes_once_and_in_time(world: World, till: RawTill) -> None:
    one = world.residents[0]
    count(till, till.sale(reduced=1000))
    dispute = decide(object_to(one, 1), uphold=False)
    assert dispute.appeal_until is not None
    late = timezone.now() + timedelta(days=120)
    with pytest.raises(TooLate):
        disputing.appeal_dispute(dispute.pk, words="x", at=late, actor="resident")
    disputing.appeal_dispute(dispute.pk, words="x", at=timezone.now(), actor="resident")
    stands = Verdict(uphold=False, amounts={}, reasons="The card was used with its PIN.")
    adjudicating.decide_appeal(dispute.pk, stands, at=timezone.now(), actor=CAT)
    assert totals()[2017, 1, 8, "reduced"] == (1000, 1)
    with pytest.raises(DisputeClosed):
        disputing.appeal_dispute(dispute.pk, words="x", at=timezone.now(), actor="resident")


def test_a_proposal_is_taken_back_and_what_is_decided_is_not_changed(world: World, till: RawTill) -> None:
    count(till, till.sale(reduced=1000))
    dispute = object_to(world.residents[0], 1)
    propose(dispute)
    adjudicating.send_back(dispute.pk, at=timezone.now(), actor=ANN)
    assert Dispute.objects.get().state == "open"
    decide(dispute, uphold=False)
    acts: list[Callable[[], object]] = [
        lambda: propose(dispute),
        lambda: adjudicating.send_back(dispute.pk, at=timezone.now(), actor=ANN),
        lambda: adjudicating.ask(dispute.pk, question="?", wants_photo=False, at=timezone.now(), actor=ANN),
        lambda: disputing.withdraw_dispute(dispute.pk, at=timezone.now(), actor="resident"),
    ]
    for act in acts:
        with pytest.raises(DisputeClosed):
            act()


def test_a_decision_that_cannot_be_carried_out_is_none(world: World, till: RawTill) -> None:
    one = world.residents[0]
    count(till, sale := till.sale(reduced=1000))
    dispute = object_to(one, 1)
    propose(dispute)
    count(till, till.void(sale))
    with pytest.raises(PurchaseMissing):
        approve(dispute)
    assert Dispute.objects.get().state == "proposed"
    missing = report(one, reduced=5)
    propose(missing, unheard_of=5)
    with pytest.raises(NotAdmitted):
        approve(missing)
    assert Dispute.objects.get(pk=missing.pk).state == "proposed"
    assert uncounted() == (0, 0)


def test_those_that_are_due_come_first(world: World, till: RawTill) -> None:
    one = world.residents[0]
    now = timezone.now()
    newer = report(one, at=on(3), reduced=1, now=now)
    older = report(one, at=on(4), reduced=2, now=now - timedelta(days=40))
    decided = decide(report(one, at=on(5), reduced=3, now=now - timedelta(days=90)))
    assert [dispute.pk for dispute in disputes_at("", "")] == [older.pk, newer.pk, decided.pk]
    assert page_of_dispute(older).is_overdue
    assert not page_of_dispute(decided).is_overdue


def test_a_withdrawn_purchase_takes_its_disputes_along_and_the_trail_names_none(world: World, till: RawTill) -> None:
    one = world.residents[0]
    count(till, till.sale(reduced=1000))
    object_to(one, 1, words="secret words")
    withdraw(one, *key(1), now=timezone.now(), actor="resident")
    assert not Dispute.objects.exists()
    events = [f"{event.subject} {event.detail}" for event in Event.objects.filter(action__startswith="dispute")]
    assert len(events) == 1
    assert "secret" not in events[0]
    assert "seq" not in events[0]


def test_texts_go_with_the_resident_and_all_of_it_with_the_year(known: World, till: RawTill) -> None:
    one = known.residents[0]
    count(till, till.sale(reduced=1000))
    object_to(one, 1, words="My neighbour Suzuki has it.")
    decide(report(one, at=on(5), reduced=5))
    appealed = decide(report(one, at=on(6), reduced=5), uphold=False)
    disputing.appeal_dispute(appealed.pk, words="Suzuki!", at=timezone.now(), actor="resident")
    erase_resident(one, reason="file 7", at=timezone.now(), actor="test")
    assert list(Dispute.objects.order_by("pk").values_list("state", flat=True)) == ["withdrawn", "upheld", "refused"]
    for row in Dispute.objects.values():
        assert "Suzuki" not in str(row)
        assert "青果" not in str(row)
    to_approved()
    erase_year(YEAR, today=timezone.localdate() + timedelta(days=365 * 20), actor="test")
    assert not Dispute.objects.exists()

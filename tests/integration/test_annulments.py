"""Annulling purchases: the resident is heard first, two auditors decide, the next run gives the difference."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest
from django.db import IntegrityError, connections, transaction
from django.utils import timezone

from apps.accruals.models import Withheld
from apps.accruals.operations.answering import answer
from apps.accruals.operations.withdrawing import PurchaseMissing, withdraw
from apps.audit.macs import is_mac_of
from apps.audit.models import Event
from apps.inspections.models import Annulment, Case, Note, Outcome
from apps.inspections.operations import annulments
from apps.inspections.operations.annulments import (
    AlreadyHeard,
    AnnulmentClosed,
    NotHeardYet,
    ReplyTimeOver,
    ReplyTimeShort,
)
from apps.inspections.operations.cases import CaseClosed, CaseUndecided, close_case, write
from apps.kernel.errors import KanpuError
from apps.purchases.following import Key
from apps.refunds.models import Decision
from apps.refunds.operations.adjudicating import ProposalChanged, SameOfficer
from apps.refunds.operations.deciding import appeal, notify
from apps.refunds.operations.erasing import erase_year
from apps.refunds.queries.decisions import letter_of
from apps.refunds.queries.replays import replay
from apps.residents.models import Message
from apps.residents.operations.erasing import erase_resident
from tests.inspecting import ANN, BEN, CAT, OFFICE, annulled, approved, case_about, held_against, proposed, replied
from tests.judging import key, lose, on, rebuilt_alike, say
from tests.till import RawTill, fates, totals
from tests.world import TERMINAL, World
from tests.year_end import YEAR, count, dues, to_approved, to_verified

pytestmark = pytest.mark.django_db(transaction=True)
FOOD = 5_500  # brings 100 yen


def told(resident: UUID) -> list[str]:
    return list(Message.objects.filter(resident_ref=resident).order_by("pk").values_list("kind", flat=True))


def decided(annulment: Annulment) -> Decision:
    assert annulment.decision_id is not None
    return Decision.objects.get(pk=annulment.decision_id)


def appealed(annulment: Annulment) -> int:
    """The resident is told of the decision, and appeals."""
    assert annulment.decision_id is not None
    notify([annulment.decision_id], on=timezone.localdate(), actor="resident")
    appeal(annulment.decision_id, reason="I did buy it.", on=timezone.localdate(), actor="resident")
    return annulment.decision_id


def test_an_annulled_purchase_no_longer_counts_and_the_resident_gets_a_decision(world: World, till: RawTill) -> None:
    one = world.residents[0]
    count(till, sale := till.sale(reduced=FOOD), till.sale(reduced=50))
    annulment = held_against(one, 1)
    assert totals()[2017, 1, 8, "reduced"] == (FOOD + 50, 2)
    proposed(replied(annulment))
    assert totals()[2017, 1, 8, "reduced"] == (FOOD + 50, 2)
    done = approved(annulment)
    assert totals() == {(2017, 1, 8, "reduced"): (50, 1)}
    assert fates()[TERMINAL, 1] == "rejected card_not_valid"
    count(till, till.give_back(sale, reduced=400))
    assert totals() == {(2017, 1, 8, "reduced"): (50, 1)}
    assert rebuilt_alike()
    decision = decided(done)
    why = f"No goods were sold. ({done.case.number})"
    assert (decision.kind, decision.amount_minor, decision.reason) == ("annulled", 100, why)
    assert letter_of(decision)["reasons"] == [{"ja": why, "en": why}]
    assert told(one) == ["purchase_questioned", "decision_issued"]


def test_a_settled_year_gets_the_difference_with_the_next_run_to_the_yen(world: World, till: RawTill) -> None:
    one, two = world.residents
    count(till, till.sale(reduced=FOOD), till.sale(reduced=2 * FOOD), till.sale(two, reduced=FOOD))
    to_approved()
    assert dues(1) == {one: (300, 0, 300), two: (100, 0, 100)}
    done = annulled(one, 2)
    decision = decided(done)
    assert (decision.run, decision.amount_minor) == (2, 200)
    assert replay(one, YEAR, 1).refund_minor == 300  # the signed run stays
    run = to_verified()  # both assessments agree
    assert run.differing == 0
    assert dues(2) == {one: (100, 300, -200)}
    found = replay(one, YEAR, 2)
    assert (found.identical, found.refund_minor) == (True, 100)
    assert rebuilt_alike()


def test_nothing_is_proposed_before_the_resident_replied_or_the_time_is_over(world: World, till: RawTill) -> None:
    one, now = world.residents[0], timezone.now()
    count(till, till.sale(reduced=FOOD), till.sale(reduced=FOOD))
    waiting, silent = held_against(one, 1), held_against(one, 2, at=now - timedelta(days=16))
    with pytest.raises(NotHeardYet):
        proposed(waiting)
    with pytest.raises(ReplyTimeOver):
        replied(silent)
    assert proposed(silent).state == "proposed"
    with pytest.raises(IntegrityError, match="heard_before_proposed"), transaction.atomic():
        Annulment.objects.filter(pk=waiting.pk).update(state="proposed", proposed_by=ANN, proposed_at=now)
    with pytest.raises(ReplyTimeShort):
        annulments.hear(
            waiting.case_id, one, Key(*key(1)), charge="x", office=OFFICE, at=now, actor=ANN,
            reply_until=timezone.localdate(now) + timedelta(days=13),
        )  # fmt: skip
    replied(waiting)
    with pytest.raises(ReplyTimeOver):  # once
        replied(waiting)
    assert proposed(waiting).state == "proposed"


def test_who_proposes_does_not_approve_and_the_database_says_so_too(world: World, till: RawTill) -> None:
    count(till, till.sale(reduced=FOOD))
    annulment = proposed(replied(held_against(world.residents[0], 1)))
    with pytest.raises(SameOfficer):
        approved(annulment, actor=ANN)
    with pytest.raises(ProposalChanged):
        annulments.approve(annulment.pk, shown="", at=timezone.now(), actor=BEN)
    with pytest.raises(IntegrityError, match="annulled_by_two"), transaction.atomic():
        Annulment.objects.filter(pk=annulment.pk).update(
            state="approved", approved_by=ANN, decided_at=timezone.now(), decision_id=7
        )
    assert totals()[2017, 1, 8, "reduced"] == (FOOD, 1)
    annulments.send_back(annulment.pk, at=timezone.now(), actor=BEN)
    with pytest.raises(AnnulmentClosed):
        approved(annulment)
    approved(proposed(annulment, actor=BEN), actor=ANN)
    with pytest.raises(AnnulmentClosed):
        approved(annulment)
    assert totals() == {}
    assert Decision.objects.count() == 1


def test_the_residents_word_counts_an_annulled_purchase_no_more(world: World, till: RawTill) -> None:
    one = world.residents[0]
    count(till, till.sale(at=on(3), reduced=FOOD))
    annulled(one, 1)
    with pytest.raises(PurchaseMissing):
        say(one, 1, mine=True)
    lose(one, on(1))  # judged again, it stays annulled
    with pytest.raises(PurchaseMissing):
        answer(one, [key(1)], confirm=True, now=timezone.now(), actor="me")
    assert totals() == {}
    assert Withheld.objects.get().answer == "annulled"
    assert rebuilt_alike()


def test_an_appeal_that_is_right_counts_it_again_and_a_third_auditor_decides_it(world: World, till: RawTill) -> None:
    one = world.residents[0]
    count(till, till.sale(reduced=FOOD))
    to_approved()
    done = annulled(one, 1)
    decision_id = appealed(done)
    for actor in (ANN, BEN):
        with pytest.raises(SameOfficer):
            annulments.decide_appeal(decision_id, amended=True, outcome="Yes.", at=timezone.now(), actor=actor)
    annulments.decide_appeal(decision_id, amended=True, outcome="There was rice.", at=timezone.now(), actor=CAT)
    lifted = Annulment.objects.get()
    assert (lifted.lifted_by, lifted.said) == (CAT, "")
    assert totals()[2017, 1, 8, "reduced"] == (FOOD, 1)
    assert not Withheld.objects.exists()
    assert rebuilt_alike()
    to_verified()
    assert dues(2) == {}  # nothing became of it
    with pytest.raises(IntegrityError, match="lifted_by_a_third"), transaction.atomic():
        Annulment.objects.update(lifted_by=BEN)


def test_what_the_resident_had_confirmed_stands_as_confirmed_again_after_an_appeal(world: World, till: RawTill) -> None:
    one = world.residents[0]
    count(till, till.sale(at=on(3), reduced=FOOD))
    lose(one, on(2))
    say(one, 1, mine=True)
    done = annulled(one, 1)
    assert (done.said, totals()) == ("confirmed", {})
    annulments.decide_appeal(appealed(done), amended=True, outcome="Yes.", at=timezone.now(), actor=CAT)
    assert totals()[2017, 1, 8, "reduced"] == (FOOD, 1)
    assert Withheld.objects.get().answer == "confirmed"


def test_what_the_shop_sends_about_an_annulled_purchase_has_its_order(world: World, till: RawTill) -> None:
    one = world.residents[0]
    count(till, moved := till.sale(reduced=FOOD), voided := till.sale(reduced=FOOD))
    first, second = annulled(one, 1), annulled(one, 2)
    count(till, till.correct(moved, reduced=1_000, sold_at=on(5, month=9)), till.void(voided))
    assert totals() == {}
    for done in (first, second):
        annulments.decide_appeal(appealed(done), amended=True, outcome="Yes.", at=timezone.now(), actor=CAT)
    assert totals() == {(2017, 1, 9, "reduced"): (1_000, 1)}  # what is voided stays voided
    assert rebuilt_alike()


def test_of_two_who_approve_at_once_one_does_and_a_withdrawal_meanwhile_harms_nothing(
    world: World, till: RawTill
) -> None:
    one = world.residents[0]
    count(till, *(till.sale(reduced=FOOD) for _ in range(6)))
    waiting = [proposed(replied(held_against(one, seq))) for seq in range(1, 7)]

    def tried(act: Callable[[], object]) -> str:
        try:
            act()
        except KanpuError as error:
            return error.code
        finally:
            connections.close_all()
        return "done"

    acts: list[Callable[[], object]] = [
        act
        for seq, annulment in enumerate(waiting, start=1)
        for act in (
            partial(approved, annulment, actor=BEN),
            partial(approved, annulment, actor=CAT),
            partial(withdraw, one, *key(seq), now=timezone.now(), actor="resident"),
        )
    ]
    with ThreadPoolExecutor(6) as pool:
        said = list(pool.map(tried, acts))
    assert set(said) <= {"done", "purchase_missing", "annulment_closed", "annulment_missing"}
    assert said[2::3] == ["done"] * 6  # a purchase of an open year can be withdrawn, whatever is held against it
    assert Decision.objects.count() <= 6
    assert not Annulment.objects.exists()
    assert totals() == {}
    assert rebuilt_alike()


def test_an_appeal_that_is_refused_leaves_it_annulled(world: World, till: RawTill) -> None:
    count(till, till.sale(reduced=FOOD))
    decision_id = appealed(annulled(world.residents[0], 1))
    annulments.decide_appeal(decision_id, amended=False, outcome="It stands.", at=timezone.now(), actor=CAT)
    assert totals() == {}


def test_only_a_counted_purchase_of_the_residents_is_dealt_with_and_once(world: World, till: RawTill) -> None:
    one, two = world.residents
    count(till, till.sale(reduced=FOOD))
    for resident, seq in ((two, 1), (one, 9)):
        with pytest.raises(PurchaseMissing):
            held_against(resident, seq)
    annulment = held_against(one, 1)
    with pytest.raises(AlreadyHeard):
        held_against(one, 1)
    annulments.drop(annulment.pk, at=timezone.now(), actor=BEN)
    assert told(one) == ["purchase_questioned", "purchase_cleared"]
    held_against(one, 1)


def test_a_case_is_closed_with_reasons_once_all_is_decided(world: World, till: RawTill) -> None:
    one, now = world.residents[0], timezone.now()
    count(till, till.sale(reduced=FOOD))
    case = case_about(f"resident:{one}")
    with pytest.raises(CaseUndecided):  # nothing is annulled
        close_case(case.pk, Outcome.ANNULLED, reasons="x", at=now, actor=ANN)
    annulment = held_against(one, 1, case=case)
    with pytest.raises(CaseUndecided):  # not decided yet
        close_case(case.pk, Outcome.EXPLAINED, reasons="x", at=now, actor=ANN)
    approved(proposed(replied(annulment)))
    with pytest.raises(IntegrityError, match="case_closed_with_reasons"), transaction.atomic():
        close_case(case.pk, Outcome.ANNULLED, reasons="", at=now, actor=ANN)
    close_case(case.pk, Outcome.ANNULLED, reasons="No goods.", at=now, actor=ANN)
    for act in (
        lambda: write(case.pk, text="x", at=now, actor=ANN),
        lambda: close_case(case.pk, Outcome.EXPLAINED, reasons="x", at=now, actor=ANN),
        lambda: held_against(one, 1, case=case),
    ):
        with pytest.raises(CaseClosed):
            act()


def test_every_change_is_in_the_trail_as_the_residents_without_a_word(world: World, till: RawTill) -> None:
    one = world.residents[0]
    count(till, till.sale(reduced=FOOD))
    case = case_about(f"resident:{one}", title="Rice at night")
    note = write(case.pk, record_name=f"purchase:{key(1)[0]}/1", text="No goods", at=timezone.now(), actor=ANN)
    approved(proposed(replied(held_against(one, 1, case=case))))
    close_case(case.pk, Outcome.ANNULLED, reasons="Nothing sold", at=timezone.now(), actor=ANN)
    of_case = ("case.", "annulment.")
    events = [event for event in Event.objects.order_by("pk") if event.action.startswith(of_case)]
    assert [event.action for event in events] == [
        "case.open", "case.evidence", "annulment.hear", "annulment.reply", "annulment.propose", "annulment.approve",
        "case.close",
    ]  # fmt: skip
    assert {event.resident_ref for event in events} == {one}
    for event in events:
        assert event.after_mac is not None
        assert not {"Rice", "rice", "goods", "sold"} & set(f"{event.detail}".split())
        assert f"{key(1)[0]}/1" not in f"{event.detail}"
    written = {"record": note.record, "text": "No goods"}
    assert is_mac_of(bytes(events[1].after_mac or b""), written)


def test_evidence_is_only_ever_added(world: World) -> None:
    case = case_about("terminal:1")
    write(case.pk, text="Asked the shop.", at=timezone.now(), actor=ANN)
    for change in (
        lambda: Note.objects.update(text="Asked nobody."),
        lambda: Note.objects.update(added_by=BEN),
        lambda: Note.objects.update(text="", record="", erased_at=timezone.now(), added_by=BEN),
        lambda: Note.objects.all().delete(),
    ):
        with pytest.raises(Exception, match="only added"), transaction.atomic():
            change()
    assert Note.objects.get().text == "Asked the shop."


def test_a_withdrawn_purchase_takes_along_what_was_held_against_it(world: World, till: RawTill) -> None:
    one = world.residents[0]
    count(till, till.sale(reduced=FOOD))
    annulment = held_against(one, 1)
    named = f"purchase:{key(1)[0]}/1"
    write(annulment.case_id, record_name=named, text="No goods", at=timezone.now(), actor=ANN)
    withdraw(one, *key(1), now=timezone.now(), actor="resident")
    assert not Annulment.objects.exists()
    assert (Note.objects.get().record, Note.objects.get().text) == ("", "")
    assert Case.objects.get().subject == f"case:{annulment.case_id}"


def test_texts_go_with_the_resident_and_the_rest_with_the_year(known: World, till: RawTill) -> None:
    one = known.residents[0]
    count(till, till.sale(reduced=FOOD), till.sale(reduced=FOOD))
    case = case_about(f"resident:{one}", title="Suzuki")
    write(case.pk, text="Suzuki again", at=timezone.now(), actor=ANN)
    annulled(one, 1)
    proposed(replied(held_against(one, 2, case=case), "Suzuki did it."))
    erase_resident(one, reason="file 7", at=timezone.now(), actor="test")
    assert list(Annulment.objects.order_by("pk").values_list("state", flat=True)) == ["approved", "dropped"]
    kept = [*Annulment.objects.values(), *Note.objects.values(), *Case.objects.values()]
    assert not any(word in str(kept) for word in ("Suzuki", "rice", "No goods", "without goods"))
    other = known.residents[1]
    count(till, till.sale(other, reduced=FOOD))
    about = held_against(other, 3)
    to_approved()
    erase_year(YEAR, today=timezone.localdate() + timedelta(days=365 * 20), actor="test")
    assert not Annulment.objects.exists()
    assert Case.objects.get(pk=about.case_id).subject == f"case:{about.case_id}"

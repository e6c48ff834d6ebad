"""All adults of a household may agree that its head is paid: nobody's share is another's, and each can end it."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from apps.audit.models import Event
from apps.payouts.models import Attempt, Obligation
from apps.payouts.operations.batches import approve_batch, drop_batch, make_batch
from apps.payouts.operations.owing import make_obligations
from apps.payouts.operations.payees import PayeeChanged
from apps.payouts.operations.reissuing import reissue
from apps.payouts.queries.payees import payees_of
from apps.payouts.queries.reconciling import reckoning
from apps.refunds.models import Run
from apps.residents.models import HeadPaymentConsent, Membership, Message, Resident
from apps.residents.operations.erasing import erase_resident
from apps.residents.operations.head_payments import NoHeadToPay, agree_to_head, take_back_head
from tests import payouts
from tests.acting import live_together, signed_up
from tests.integration.payouts.conftest import Clock
from tests.pages import shown
from tests.world import YEAR, World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def couple(world: World, run: Run) -> tuple[UUID, UUID]:
    """The first is head of the household of both, and has another account than the second."""
    head, other = world.residents
    live_together(head, other)
    payouts.name(head, payouts.OTHER)
    return head, other


def agree(*refs: UUID) -> None:
    for ref in refs:
        agree_to_head(ref, at=timezone.now(), actor="resident")


def payee(ref: UUID) -> tuple[UUID, str]:
    return tuple(payees_of([ref], at=timezone.now())[ref])  # type: ignore[return-value]


def test_all_adults_are_paid_to_the_head_once_all_agree(couple: tuple[UUID, UUID], run: Run, clock: Clock) -> None:
    head, other = couple
    agree(other)
    assert payee(other) == (other, "resident")
    agree(head)
    assert (payee(head), payee(other)) == ((head, "resident"), (head, "head"))
    clock.at += timedelta(days=3)
    payouts.taken(payouts.answer(payouts.sent(), "0"))
    owed = {one.resident_ref: one for one in Obligation.objects.all()}
    assert {ref: (one.amount_minor, one.payee_ref, one.state) for ref, one in owed.items()} == {
        head: (4_000, head, "paid"),
        other: (1, head, "paid"),
    }
    assert len(set(Attempt.objects.values_list("account_id", flat=True))) == 1
    assert reckoning(run).is_done
    kinds = list(Message.objects.filter(resident_ref=head).order_by("pk").values_list("kind", flat=True))
    assert kinds[-2:] == ["payment_paid", "share_paid"]


def test_every_change_is_on_the_trail_and_told_to_every_adult(couple: tuple[UUID, UUID], clock: Clock) -> None:
    head, other = couple
    agree(other, head)
    clock.at += timedelta(hours=1)
    take_back_head(other, at=clock.at, actor="resident")
    actions = Event.objects.filter(action__startswith="household.pay").order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["household.pay_head", "household.pay_head", "household.pay_each"]
    for ref in couple:
        told = Message.objects.filter(resident_ref=ref, kind="household_payment").order_by("pk")
        assert [(one.detail["given"], one.detail["adults"]) for one in told] == [(1, 2), (2, 2), (1, 2)]


def test_what_is_taken_back_before_the_approval_is_not_paid_to_the_head(
    couple: tuple[UUID, UUID], clock: Clock
) -> None:
    head, other = couple
    agree(head, other)
    batch = payouts.draft()
    approve_batch(batch.pk, by="ann", sha256=batch.sha256, actor="test")
    clock.at += timedelta(hours=1)
    take_back_head(other, at=clock.at, actor="resident")
    with pytest.raises(PayeeChanged):
        approve_batch(batch.pk, by="ben", sha256=batch.sha256, actor="test")
    drop_batch(batch.pk, actor="test")
    again = make_batch(YEAR, actor="test")
    assert again
    assert Obligation.objects.get(resident_ref=other).payee_ref == other
    approve_batch(again.pk, by="ben", sha256=again.sha256, actor="test")


def test_what_is_taken_back_after_the_approval_goes_to_the_head_and_what_comes_back_does_not(
    couple: tuple[UUID, UUID], clock: Clock
) -> None:
    head, other = couple
    agree(head, other)
    batch = payouts.sent()
    clock.at += timedelta(days=2)
    take_back_head(other, at=clock.at, actor="resident")
    payouts.taken(payouts.answer(batch, "1"))
    owed = Obligation.objects.get(resident_ref=other)
    assert (owed.payee_ref, owed.state) == (head, "failed")
    assert reissue([owed.pk], actor="test") == 1
    owed.refresh_from_db()
    assert (owed.payee_ref, owed.payee_kind) == (other, "resident")


@pytest.mark.parametrize("who", ["head", "other"])
def test_who_leaves_ends_it_for_all(couple: tuple[UUID, UUID], world: World, clock: Clock, who: str) -> None:
    head, other = couple
    home = Membership.objects.get(resident=head).household_ref
    third = Resident.objects.create(resident_from=date(2015, 1, 1)).pk
    Membership.objects.create(resident_id=third, household_ref=home, valid=(date(2017, 1, 1), None))
    agree(head, other, third)
    assert payee(third) == (head, "head")
    gone = {"head": head, "other": other}[who]
    Membership.objects.filter(resident=gone).update(valid=(date(2017, 1, 1), date(2026, 12, 1)))
    clock.at = datetime(2026, 12, 2, tzinfo=UTC)
    assert payee(third) == (third, "resident")
    if who == "other":
        agree(head, third)
        assert payee(third) == (head, "head")
    else:
        with pytest.raises(NoHeadToPay):
            agree(third)


def test_who_leaves_is_told_once_that_the_own_refund_comes_to_them_again(
    couple: tuple[UUID, UUID], clock: Clock
) -> None:
    head, other = couple
    agree(head, other)
    batch = payouts.draft()
    Membership.objects.filter(resident=other).update(valid=(date(2017, 1, 1), date(2026, 12, 1)))
    clock.at = datetime(2026, 12, 2, tzinfo=UTC)
    drop_batch(batch.pk, actor="test")
    drop_batch(make_batch(YEAR, actor="test").pk, actor="test")  # type: ignore[union-attr]
    assert make_batch(YEAR, actor="test")
    told = Message.objects.filter(kind="own_payment")
    assert list(told.values_list("resident_ref", flat=True)) == [other]


def test_who_left_since_the_last_refund_is_told_with_the_next(couple: tuple[UUID, UUID], clock: Clock) -> None:
    head, other = couple
    agree(head, other)
    payouts.taken(payouts.answer(payouts.sent(), "0"))
    Membership.objects.filter(resident=other).update(valid=(date(2017, 1, 1), date(2026, 12, 1)))
    clock.at = datetime(2026, 12, 2, tzinfo=UTC)
    payouts.paying_run({head: 50, other: 60}, number=2)
    make_obligations(YEAR, number=2, actor="test")
    told = Message.objects.filter(kind="own_payment").values_list("resident_ref", "detail__amount_minor")
    assert list(told) == [(other, 60)]


def test_who_joins_is_asked_as_well_and_a_child_is_not(couple: tuple[UUID, UUID], world: World) -> None:
    head, other = couple
    home = Membership.objects.get(resident=head).household_ref
    agree(head, other)
    new = Resident.objects.create(resident_from=date(2015, 1, 1)).pk
    stay = Membership.objects.create(
        resident_id=new, household_ref=home, valid=(date(2017, 1, 1), None), payee_id=other
    )
    assert (payee(other), payee(new)) == ((head, "head"), (other, "parent"))
    with pytest.raises(NoHeadToPay):
        agree(new)
    stay.payee_id = None
    stay.save()
    assert payee(other) == (other, "resident")


def test_another_head_was_not_agreed_to(couple: tuple[UUID, UUID]) -> None:
    head, other = couple
    agree(head, other)
    Membership.objects.filter(resident=head).update(is_head=False)
    Membership.objects.filter(resident=other).update(is_head=True)
    assert (payee(head), payee(other)) == ((head, "resident"), (other, "resident"))


def test_a_protected_adult_is_neither_asked_nor_paid_to_the_head(couple: tuple[UUID, UUID]) -> None:
    head, other = couple
    home = Membership.objects.get(resident=head).household_ref
    hidden = Resident.objects.create(resident_from=date(2015, 1, 1), is_protected=True).pk
    Membership.objects.create(resident_id=hidden, household_ref=home, valid=(date(2017, 1, 1), None))
    with pytest.raises(NoHeadToPay):
        agree(hidden)
    agree(head, other)
    assert (payee(other), payee(hidden)) == ((head, "head"), (hidden, "resident"))
    assert not Message.objects.filter(resident_ref=hidden).exists()


def test_one_consent_at_a_time_by_constraint_and_erased_with_the_resident(couple: tuple[UUID, UUID]) -> None:
    head, other = couple
    agree(head, other)
    agree(other)
    assert HeadPaymentConsent.objects.filter(resident=other).count() == 1
    twice = HeadPaymentConsent.objects.get(resident=other)
    twice.pk = None
    with pytest.raises(IntegrityError, match="one_head_payment_consent"), transaction.atomic():
        twice.save(force_insert=True)
    erase_resident(other, reason="test", at=timezone.now(), actor="test")
    assert not HeadPaymentConsent.objects.filter(resident=other).exists()
    assert payee(head) == (head, "resident")


def test_each_adult_agrees_in_the_portal_and_sees_what_it_means(couple: tuple[UUID, UUID], clock: Clock) -> None:
    head, other = couple
    clients: list[Client] = [signed_up("hanako", head), signed_up("taro", other)]
    assert "Each adult's refund goes to the own account." in shown(clients[1], "/household")
    page = shown(clients[1], "/household/payment")
    assert "It holds only while every adult agrees." in page
    for count, client in enumerate(clients, start=1):
        assert client.post("/household/payment", {"agreed": "yes"}).status_code == 302
        assert f"{count} of 2 adult" in shown(client, "/household/payment")
    assert "go to its head, as all have agreed" in shown(clients[1], "/household")
    assert "go to your account, as all have agreed" in shown(clients[0], "/household")
    clock.at += timedelta(days=3)
    payouts.taken(payouts.answer(payouts.sent(), "0"))
    theirs = shown(clients[1], "/payment", as_user="taro")
    assert "It goes to the head of your household." in theirs
    assert "018" not in theirs.split("Payments")[1].split("If a payment fails")[0].replace("2018", "")
    assert "What goes to you for others of your household" in shown(clients[0], "/payment", as_user="hanako")
    assert "again" in clients[1].post("/household/payment", {"agreed": "no"})["Location"]  # signed in days ago
    clock.at = payouts.MORNING + timedelta(hours=1)
    assert clients[1].post("/household/payment", {"agreed": "no"})["Location"] == "/household"
    assert "Each adult's refund goes to the own account." in shown(clients[0], "/household")


def test_who_lives_alone_has_nothing_to_agree(run: Run, world: World) -> None:
    client = signed_up("hanako", world.residents[0])
    assert "there is nothing to agree" in shown(client, "/household/payment")
    assert client.post("/household/payment", {"agreed": "yes"}).status_code == 404
    assert not HeadPaymentConsent.objects.exists()
    assert "To whom refunds are paid" not in shown(client, "/household")

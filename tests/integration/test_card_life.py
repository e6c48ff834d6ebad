"""A card from its issue to its end, by whomever it is changed at the same time."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, connections, transaction
from django.db.models import QuerySet
from django.utils import timezone
from psycopg.types.range import TimestamptzRange

from apps.accruals.operations.counting import count_all
from apps.audit.models import AccessRecord, Alarm, Event
from apps.purchases.models import Outcome
from apps.residents.models import Card, CardOrder, CardSuspension, HandOver, JudgingDue, PhoneMiss, Resident
from apps.residents.operations.card_life import (
    CardMissing,
    CardNotSuspended,
    ChannelNotAllowed,
    DocumentsInsufficient,
    LostInTheFuture,
    NotResident,
    hand_over,
    order_card,
    resume_card,
    suspend_cards,
)
from apps.residents.operations.phone import MISSES, TooManyMisses, suspend_by_phone
from apps.residents.queries.card_states import State, cards_of
from apps.residents.vault.contents import Address
from tests.integration.test_counting import report, totals_of
from tests.vault import BORN, DESK, enter
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)
Channel = CardSuspension.Channel
HOUR = timedelta(hours=1)


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def holder(world: World) -> UUID:
    return world.residents[0]


def another_card(holder: UUID, now: datetime, **changes: Any) -> Card:
    """A card of the resident that waits for its hand-over."""
    fields: dict[str, Any] = {"valid_from": now - HOUR, "valid_until": now + timedelta(days=3650)} | changes
    index = Card.objects.count().to_bytes(32, "big")
    return Card.objects.create(card_index=index, resident_id=holder, issuer_version=1, **fields)


def suspend(holder: UUID, since: datetime, at: datetime) -> list[CardSuspension]:
    return suspend_cards(holder, lost_since=since, channel=Channel.WINDOW, at=at, actor="clerk")


def give(card: Card, at: datetime) -> HandOver:
    return hand_over(card.pk, documents=["passport"], office="Setagaya", at=at, actor="clerk")


def suspensions() -> QuerySet[CardSuspension]:
    """All but that of the published card which is always held."""
    return CardSuspension.objects.exclude(reported_by="published")


def states(holder: UUID, now: datetime) -> list[State]:
    return [found.state for found in cards_of(holder, now=now)]


def at_once(*actions: Callable[[], object]) -> list[Exception | None]:
    """Do all at the same time, each on a connection of its own. Returns what each raised."""
    raised: list[Exception | None] = [None] * len(actions)
    barrier = threading.Barrier(len(actions))

    def do(number: int) -> None:
        try:
            barrier.wait()
            actions[number]()
        except Exception as error:
            raised[number] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=do, args=(number,)) for number in range(len(actions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


# --- suspending and resuming ---


def test_a_lost_card_is_suspended_until_its_holder_has_it_again(holder: UUID, now: datetime) -> None:
    suspension = suspend(holder, now - 2 * HOUR, now)[0]
    assert states(holder, now) == [State.SUSPENDED]
    for channel in (Channel.PHONE, Channel.LETTER):
        with pytest.raises(ChannelNotAllowed):
            resume_card(suspension.card_id, channel=channel, at=now, actor="x")
    order_card(holder, reason=CardOrder.Reason.LOST, at=now, actor="clerk")
    lifted = resume_card(suspension.card_id, channel=Channel.PORTAL, at=now + HOUR, actor="holder")
    assert (lifted.valid.lower, lifted.valid.upper) == (now - 2 * HOUR, now + HOUR)
    assert states(holder, now + HOUR) == [State.ACTIVE]
    assert CardOrder.objects.get().cancelled_at == now + HOUR
    with pytest.raises(CardNotSuspended):
        resume_card(suspension.card_id, channel=Channel.PORTAL, at=now + HOUR, actor="holder")
    actions = Event.objects.filter(subject=f"resident:{holder}").order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["card.suspend", "card.order", "card.resume"]


def test_a_second_report_counts_from_the_earlier_loss_and_keeps_who_was_first(holder: UUID, now: datetime) -> None:
    suspend(holder, now - HOUR, now)
    for since, at in ((now - 5 * HOUR, now + HOUR), (now - 2 * HOUR, now + 2 * HOUR)):
        suspend_cards(holder, lost_since=since, channel=Channel.PHONE, at=at, actor="other")
    suspension = suspensions().get()
    assert suspension.valid.lower == now - 5 * HOUR
    assert (suspension.reported_at, suspension.reported_by, suspension.channel) == (now, "clerk", "window")


def test_an_earlier_suspension_that_a_new_one_meets_becomes_part_of_it(holder: UUID, now: datetime) -> None:
    card = suspend(holder, now - 9 * HOUR, now - 8 * HOUR)[0].card_id
    resume_card(card, channel=Channel.WINDOW, at=now - 4 * HOUR, actor="clerk")
    suspend(holder, now - 3 * HOUR, now)
    assert suspensions().count() == 2
    suspend(holder, now - 6 * HOUR, now)
    assert suspensions().get().valid.lower == now - 9 * HOUR


def test_nothing_is_lost_in_the_future_or_before_there_was_a_card(holder: UUID, now: datetime) -> None:
    with pytest.raises(LostInTheFuture):
        suspend(holder, now + timedelta(seconds=1), now)
    suspension = suspend(holder, datetime(1, 1, 1, tzinfo=timezone.get_default_timezone()), now)[0]
    assert suspension.valid.lower == suspension.card.active_from == JudgingDue.objects.get().since
    with pytest.raises(CardMissing):
        suspend(UUID(int=1), now, now)


def test_a_card_that_is_active_later_can_be_lost_and_found_before(holder: UUID, now: datetime) -> None:
    start = now + 24 * HOUR
    Card.objects.filter(resident=holder).update(valid_from=start, active_from=start)
    suspension = suspend(holder, now - HOUR, now)[0]
    assert states(holder, start) == [State.SUSPENDED]
    resume_card(suspension.card_id, channel=Channel.PORTAL, at=now + HOUR, actor="holder")
    assert states(holder, start) == [State.ACTIVE]
    assert suspend(holder, now + 2 * HOUR, now + 2 * HOUR)[0].valid.lower == start


def test_the_times_zone_does_not_matter(holder: UUID, now: datetime) -> None:
    tokyo = now.astimezone(timezone.get_fixed_timezone(9 * 60)) - HOUR
    assert suspend(holder, tokyo, now)[0].valid.lower == now - HOUR
    with pytest.raises(TypeError):
        suspend(holder, now.replace(tzinfo=None), now)


# --- handing over ---


def test_a_replacement_is_active_from_the_hand_over_when_the_old_card_ends(holder: UUID, now: datetime) -> None:
    suspend(holder, now - HOUR, now)
    new = another_card(holder, now)
    assert states(holder, now) == [State.ISSUED, State.SUSPENDED]
    JudgingDue.objects.all().delete()
    given = give(new, now + HOUR)
    assert states(holder, now + HOUR) == [State.ACTIVE, State.REPLACED]
    assert (given.actor, given.office, given.documents) == ("clerk", "Setagaya", ["passport"])
    assert JudgingDue.objects.get().since == now + HOUR
    with pytest.raises(CardMissing, match="active already"):
        give(new, now + HOUR)
    old = cards_of(holder, now=now + HOUR)[1].card
    with pytest.raises(CardMissing):
        resume_card(old.pk, channel=Channel.WINDOW, at=now + HOUR, actor="clerk")


def test_no_gap_is_between_a_card_and_the_next_that_is_valid_later(holder: UUID, now: datetime) -> None:
    new = another_card(holder, now, valid_from=now + 24 * HOUR)
    give(new, now)
    old = Card.objects.get(resident=holder, replaced_from__isnull=False)
    new.refresh_from_db()
    assert old.replaced_from == new.active_from == now + 24 * HOUR
    assert states(holder, now + HOUR) == [State.ISSUED, State.ACTIVE]


@pytest.mark.parametrize(
    "documents",
    [[], ["pension"], ["pension", "pension"], ["library_card", "gym_card"], ["passport", "copy of a letter"]],
)
def test_too_few_documents_or_unknown_ones_hand_nothing_over(holder: UUID, now: datetime, documents: list[str]) -> None:
    new = another_card(holder, now)
    with pytest.raises(DocumentsInsufficient):
        hand_over(new.pk, documents=documents, office="Setagaya", at=now, actor="clerk")
    assert not HandOver.objects.exists()
    hand_over(new.pk, documents=["pension", "bank_book"], office="Setagaya", at=now, actor="clerk")


def test_a_card_is_not_handed_to_who_lives_here_no_more(holder: UUID, now: datetime) -> None:
    new = another_card(holder, now)
    Resident.objects.filter(pk=holder).update(resident_to=timezone.localdate(now))
    with pytest.raises(NotResident):
        give(new, now)


def test_an_older_card_that_nobody_fetched_ends_with_the_hand_over_of_a_newer_one(holder: UUID, now: datetime) -> None:
    forgotten, new, newest = (another_card(holder, now) for _ in range(3))
    give(new, now)
    with pytest.raises(CardMissing):
        give(forgotten, now)
    give(newest, now + HOUR)
    assert Card.objects.filter(resident=holder, replaced_from=None).get() == newest


def test_a_suspension_leaves_alone_what_nobody_had_yet_and_covers_what_was_replaced_since(
    holder: UUID, now: datetime
) -> None:
    old = Card.objects.get(resident=holder)
    new = another_card(holder, now)
    assert [s.card_id for s in suspend(holder, now - HOUR, now)] == [old.pk]
    give(new, now)
    later = now + 48 * HOUR
    assert [s.card_id for s in suspend(holder, now - 5 * HOUR, later)] == [old.pk, new.pk]
    assert suspensions().get(card=new).valid.lower == now
    assert [s.card_id for s in suspend(holder, later, later)] == [new.pk]


def test_a_card_ends_at_its_very_time(world: World, web: str, holder: UUID) -> None:
    end = datetime(2017, 5, 31, 15, tzinfo=UTC)  # midnight in Tokyo
    Card.objects.filter(resident=holder).update(valid_until=end)
    report(
        web, world.api_key,
        world.sale(reduced=100, at="2017-05-31T23:59:59+09:00"),
        world.sale(reduced=200, at="2017-06-01T00:00:00+09:00"),
    )  # fmt: skip
    count_all()
    assert totals_of(holder) == {(1, 5, "reduced"): 100}
    assert {o.seq: o.code for o in Outcome.objects.all()} == {2: "card_not_valid"}
    assert states(holder, end) == [State.EXPIRED]
    assert states(holder, end - timedelta(microseconds=1)) == [State.ACTIVE]
    with pytest.raises(CardMissing):
        suspend(holder, end, end)
    assert suspend(holder, end - HOUR, end + HOUR)


# --- at the same time ---


def test_two_suspensions_at_once_are_one_from_the_earlier_loss(holder: UUID, now: datetime) -> None:
    for round_ in range(5):
        since = [now - (round_ + 1) * 10 * HOUR - n * HOUR for n in range(4)]
        raised = at_once(*(lambda s=s: suspend(holder, s, now) for s in since))
        assert raised == [None] * 4
        assert suspensions().get().valid.lower == min(since)


def test_a_hand_over_and_a_suspension_at_once_leave_one_active_card(holder: UUID, now: datetime) -> None:
    """The card that was lost is suspended from then on, in whatever order they come."""
    for round_ in range(1, 9):
        new, at = another_card(holder, now), now + round_ * HOUR
        old = Card.objects.get(resident=holder, active_from__isnull=False, replaced_from=None)
        lost_since = at - timedelta(minutes=10)
        assert at_once(lambda: give(new, at), lambda: suspend(holder, lost_since, at)) == [None, None]  # noqa: B023
        old.refresh_from_db()
        assert old.replaced_from == at
        assert old.suspensions.get(lifted_at=None).valid.lower <= lost_since
        assert Card.objects.filter(resident=holder, active_from__isnull=False, replaced_from=None).get() == new


def test_two_hand_overs_at_once_leave_one_active_card(holder: UUID, now: datetime) -> None:
    one, two = another_card(holder, now), another_card(holder, now)
    raised = at_once(lambda: give(one, now), lambda: give(two, now))
    assert raised[1] is None
    assert raised[0] is None or isinstance(raised[0], CardMissing)
    assert Card.objects.filter(resident=holder, replaced_from=None).get() == two


def test_orders_at_once_are_one(holder: UUID, now: datetime) -> None:
    lost = CardOrder.Reason.LOST
    raised = at_once(*[lambda: order_card(holder, reason=lost, at=now, actor="clerk")] * 4)
    assert raised == [None] * 4
    assert CardOrder.objects.count() == Event.objects.filter(action="card.order").count() == 1


def test_the_database_itself_refuses_what_may_never_be(holder: UUID, now: datetime) -> None:
    card = Card.objects.get(resident=holder)
    suspend(holder, now - HOUR, now)
    row = {"card": card, "channel": "phone", "reported_at": now, "reported_by": "x"}
    wrong: dict[str, Callable[[], object]] = {
        "one_active_card_a_resident": lambda: another_card(holder, now, active_from=now),
        "one_suspension_at_a_time": lambda: CardSuspension.objects.create(**row, valid=TimestamptzRange(now, None)),
        "lifted_means_ended": lambda: CardSuspension.objects.create(
            **row, valid=TimestamptzRange(now - 9 * HOUR, now - 8 * HOUR)
        ),
        "card_active_when_valid": lambda: another_card(holder, now, active_from=now - 2 * HOUR, replaced_from=now),
    }
    for constraint, change in wrong.items():
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            change()


# --- by telephone ---


@pytest.fixture
def known(world: World) -> World:
    """Two residents of one name and birth date, at one place and another."""
    one, two = world.residents
    enter(one, number="983205673214")
    enter(two, address=Address("530-0001", "大阪府大阪市北区梅田1-2-3"))
    return world


def call(now: datetime, *, name: str = "やまだ　たろう", address: str = "世田谷区三軒茶屋2-11-3") -> bool:
    return suspend_by_phone(name, BORN, address, lost_since=now - HOUR, access=DESK, at=now)


def test_name_birth_date_and_address_alone_suspend_a_card(known: World, now: datetime) -> None:
    one, two = known.residents
    assert call(now) is True
    assert states(one, now) == [State.SUSPENDED]
    assert suspensions().get().channel == "phone"
    assert states(two, now) == [State.ACTIVE]
    assert call(now, name="ﾔﾏﾀﾞﾀﾛｳ", address="〒530-0001") is True
    assert states(two, now) == [State.SUSPENDED]
    opened = AccessRecord.objects.filter(actor="helen", purpose="card lost", what="vault:address")
    assert {one, two} == set(opened.values_list("resident_ref", flat=True))
    assert not PhoneMiss.objects.exists()


def test_of_a_protected_resident_the_whole_address_must_be_told(known: World, now: datetime) -> None:
    Resident.objects.filter(pk=known.residents[1]).update(is_protected=True)
    assert call(now, address="〒530-0001") is False
    assert call(now, address="梅田1-2-3") is False
    assert call(now, address="大阪市北区梅田1-2-3") is True


def test_who_answers_learns_nothing_from_a_miss_and_tries_ten_a_day(known: World, now: datetime) -> None:
    tries = [{"address": "目黒区1-1-1"}, {"name": "スズキ"}] * 5
    assert [call(now + n * HOUR, **given) for n, given in enumerate(tries)] == [False] * MISSES
    assert not suspensions().exists()
    with pytest.raises(TooManyMisses) as refused:
        call(now + 10 * HOUR)
    assert refused.value.code == "rate_limited"
    assert refused.value.retry_at == now + 24 * HOUR
    assert Alarm.objects.get().kind == "phone_guessing"
    assert call(now + 24 * HOUR) is True
    said = " ".join(str((e.subject, e.detail)) for e in Event.objects.filter(action="card.suspend_by_phone"))
    assert not any(part in said for part in ("ヤマダ", "やまだ", "三軒茶屋", "1980", *map(str, known.residents)))


def test_when_two_match_neither_is_suspended(known: World, now: datetime) -> None:
    enter_again = known.test_resident
    enter(enter_again)
    assert call(now) is False
    assert not suspensions().exists()
    assert PhoneMiss.objects.count() == 1


def test_a_resident_without_a_card_is_no_miss(known: World, now: datetime) -> None:
    Card.objects.filter(resident=known.residents[0]).update(valid_until=now - 2 * HOUR)
    assert call(now) is False
    assert not PhoneMiss.objects.exists()


def test_misses_at_once_are_counted_one_by_one(known: World, now: datetime) -> None:
    raised = at_once(*[lambda: call(now, name="x")] * (MISSES + 4))
    assert len([error for error in raised if isinstance(error, TooManyMisses)]) == 4
    assert PhoneMiss.objects.count() == MISSES

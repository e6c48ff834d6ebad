"""Sales judged again: cards lost before it was known, days of residence that change, and what residents say."""

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import connections, transaction
from django.utils import timezone

from apps.accruals.claims import claim_of
from apps.accruals.models import CardCounter, Entry, Withheld
from apps.accruals.operations.answering import AnswerFinal, answer
from apps.accruals.operations.claiming import claim_purchase
from apps.accruals.operations.counting import count_all, count_some
from apps.accruals.operations.judging import judge_due
from apps.accruals.operations.withdrawing import PurchaseMissing
from apps.accruals.queries import held_of_resident, number_held
from apps.audit.models import Alarm, Event
from apps.merchants.models import Terminal
from apps.purchases.models import Followup
from apps.refunds.operations.freezing import OutboxNotEmpty, freeze
from apps.refunds.operations.recounting import recount
from apps.refunds.queries.replays import replay
from apps.residents.models import Card, CardSuspension, JudgingDue, Resident
from apps.residents.operations.card_life import hand_over, resume_card, suspend_cards
from apps.residents.operations.judging_due import judge_again
from apps.residents.recognition import recognise
from apps.schemes.models import TaxYear
from tests.integration.test_reading_back import read
from tests.till import SECOND, RawTill, bases, fates, send, totals
from tests.world import TERMINAL, World
from tests.year_end import count, dues, to_approved, to_verified

pytestmark = pytest.mark.django_db(transaction=True)
Key = tuple[int, int]


def on(day: int, month: int = 8) -> str:
    return f"2017-{month:02}-{day:02}T10:00:00+09:00"


def lose(resident: UUID, since: str, *, counted: bool = True) -> None:
    suspend_cards(
        resident, lost_since=datetime.fromisoformat(since), channel=CardSuspension.Channel.PHONE, at=timezone.now(),
        actor="helpdesk",
    )  # fmt: skip
    if counted:
        count_all()


def find(resident: UUID) -> None:
    for card in Card.objects.filter(resident=resident):
        resume_card(card.pk, channel=CardSuspension.Channel.PORTAL, at=timezone.now(), actor="me")
    count_all()


def key(seq: int, terminal: str = TERMINAL) -> Key:
    return Terminal.objects.get(code=terminal).pk, seq


def say(resident: UUID, *seqs: int, mine: bool) -> list[tuple[str, str]]:
    found = answer(resident, [key(seq) for seq in seqs], confirm=mine, now=timezone.now(), actor="me")
    return [(row.status, row.code) for row in found]


def august(resident: UUID | None = None) -> int:
    return totals(resident).get((2017, 1, 8, "reduced"), (0, 0))[0]


def rebuilt_alike() -> bool:
    """Whether the totals are what the entries come to."""
    version = TaxYear.objects.get(year=2017).scheme_version
    return recount(2017, version=version, actor="test", seen=lambda _: None, dry_run=True).differences == 0


def test_what_was_bought_since_a_card_was_lost_is_held_with_its_returns_and_comes_back_when_confirmed(
    world: World, tills: tuple[RawTill, RawTill]
) -> None:
    till, other = tills
    one = world.residents[0]
    count(
        till,
        till.sale(at=on(1), reduced=100),
        sale := till.sale(at=on(3), reduced=1000),
        till.sale(at=on(4), reduced=50),
    )
    count(other, other.give_back(sale, terminal=TERMINAL, reduced=400))
    lose(one, on(2))
    assert totals() == {(2017, 1, 8, "reduced"): (100, 1)}
    assert fates() == {(TERMINAL, 2): "held card_suspended", (TERMINAL, 3): "held card_suspended",
                       (SECOND, 1): "held card_suspended"}  # fmt: skip
    count(other, other.give_back(sale, terminal=TERMINAL, reduced=100))
    assert totals() == {(2017, 1, 8, "reduced"): (100, 1)}
    assert say(one, 2, mine=True) == [("counted", "")]
    assert totals() == {(2017, 1, 8, "reduced"): (600, 2)}
    assert {fates()[TERMINAL, 2], fates()[SECOND, 1], fates()[SECOND, 2]} == {"counted"}
    assert rebuilt_alike()


def test_a_sale_that_was_held_from_the_start_counts_when_it_is_confirmed_and_spends_its_counter_then(
    world: World, tills: tuple[RawTill, RawTill]
) -> None:
    till, _ = tills
    one = world.residents[0]
    lose(one, on(2))
    count(till, sale := till.sale(at=on(3), reduced=1000), till.give_back(sale, reduced=300))
    assert not CardCounter.objects.filter(resident_ref=one).exists()
    assert say(one, 1, mine=True) == [("counted", "")]
    assert totals() == {(2017, 1, 8, "reduced"): (700, 1)}
    assert CardCounter.objects.filter(resident_ref=one).exists()
    assert {e.kind: e.amounts_minor for e in Entry.objects.all()} == {"sale": [1000], "confirm": [-300]}
    assert rebuilt_alike()


def test_denied_is_rejected_for_tills_and_an_answer_may_be_changed_until_the_deadline(
    world: World, tills: tuple[RawTill, RawTill]
) -> None:
    till, _ = tills
    one = world.residents[0]
    count(till, till.sale(at=on(3), reduced=1000))
    lose(one, on(2))
    assert say(one, 1, mine=False) == [("rejected", "card_not_valid")]
    assert fates() == {(TERMINAL, 1): "rejected card_not_valid"}
    find(one)
    assert (august(), fates()[TERMINAL, 1]) == (0, "rejected card_not_valid")
    say(one, 1, mine=True)
    assert (august(), fates()[TERMINAL, 1]) == (1000, "counted")
    TaxYear.objects.filter(year=2017).update(deadline_at=timezone.now())
    say(one, 1, mine=True)
    with pytest.raises(AnswerFinal):
        say(one, 1, mine=False)
    assert august() == 1000


def test_after_the_deadline_a_first_answer_still_counts(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    count(till, till.sale(at=on(3), reduced=1000))
    TaxYear.objects.filter(year=2017).update(deadline_at=timezone.now())
    lose(world.residents[0], on(2))
    assert august() == 0
    say(world.residents[0], 1, mine=True)
    assert august() == 1000


def test_a_card_found_again_leaves_held_what_nobody_answered_for_and_confirmed_what_was(
    world: World, tills: tuple[RawTill, RawTill]
) -> None:
    till, _ = tills
    one = world.residents[0]
    count(till, *(till.sale(at=on(3 + n), reduced=10**n) for n in range(3)))
    lose(one, on(2))
    say(one, 1, mine=True)
    say(one, 2, mine=False)
    find(one)
    assert (august(), fates()[TERMINAL, 3]) == (1, "held card_suspended")
    lose(one, on(1))
    assert august() == 1
    assert [(row.seq, row.status, row.answer) for row in held_of_resident(one, first=0, most=10)] == [
        (3, "held", ""), (2, "rejected", "denied"), (1, "counted", "confirmed")
    ]  # fmt: skip
    assert (number_held(one), number_held(one, unanswered=True)) == (3, 1)


def test_nobody_answers_for_another_or_for_what_was_not_held_for_its_card(
    world: World, tills: tuple[RawTill, RawTill]
) -> None:
    till, _ = tills
    one, two = world.residents
    held, returned = (sale := till.sale(at=on(3), reduced=1000)), till.give_back(sale, reduced=1)
    count(till, held, returned, till.sale(two, at=on(3), reduced=5), till.sale(at="2016-12-31T15:00:00Z", reduced=2))
    lose(one, on(2))
    for resident, seq in ((two, 1), (one, 2), (one, 3), (one, 4), (one, 99)):
        with pytest.raises(PurchaseMissing):
            say(resident, seq, mine=True)
    with pytest.raises(PurchaseMissing):
        say(one, 1, 3, mine=True)
    assert august(one) == 0


def test_the_list_of_held_purchases_says_what_is_left_of_each(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, other = tills
    one = world.residents[0]
    lose(one, on(2))
    wrong = till.sale(at=on(4), foood=5)
    send(till, sale := till.sale(at=on(3), reduced=1000, standard=7), wrong, till.correct(wrong, standard=5))
    count(other, other.give_back(sale, terminal=TERMINAL, reduced=400))
    rows = held_of_resident(one, first=0, most=10)
    assert [(row.seq, dict(row.amounts), row.code) for row in rows] == [
        (1, {"standard": 5}, "card_suspended"), (2, {"reduced": 600, "standard": 7}, "card_suspended")
    ]  # fmt: skip
    assert [row.seq for row in held_of_resident(one, first=1, most=1)] == [2]


def test_a_change_of_residence_takes_sales_off_the_account_and_puts_them_back_claimed_ones_too(
    world: World, tills: tuple[RawTill, RawTill]
) -> None:
    till, _ = tills
    one = world.residents[0]
    code = "0123456789ABCDEFGHJKMNPQR0"
    count(
        till,
        till.sale(at=on(1), reduced=1),
        till.sale(at=on(20), reduced=20),
        till.sale(at=on(21), reduced=300, claim=claim_of(code)),
    )
    claim_purchase(one, code, now=timezone.now(), actor="me")
    moved(one, date(2017, 8, 10))
    assert (august(), fates()[TERMINAL, 2], fates()[TERMINAL, 3]) == (
        1,
        "rejected card_not_valid",
        "rejected card_not_valid",
    )
    with pytest.raises(PurchaseMissing):
        say(one, 2, mine=True)
    moved(one, date(2017, 8, 21))
    assert august() == 21
    moved(one, None)
    assert august() == 321
    assert not Withheld.objects.exists()
    assert rebuilt_alike()


def moved(resident: UUID, resident_to: date | None) -> None:
    """Somebody moved out on another day than was known."""
    with transaction.atomic():
        Resident.objects.filter(ref=resident).update(resident_to=resident_to)
        judge_again([resident], since=datetime(2017, 1, 1, tzinfo=UTC), at=timezone.now())
    count_all()


def test_what_somebody_confirmed_does_not_count_on_days_on_which_they_were_not_resident(
    world: World, tills: tuple[RawTill, RawTill]
) -> None:
    till, _ = tills
    one = world.residents[0]
    count(till, till.sale(at=on(20), reduced=20))
    lose(one, on(2))
    say(one, 1, mine=True)
    moved(one, date(2017, 8, 10))
    assert (august(), fates()[TERMINAL, 1]) == (0, "rejected card_not_valid")
    moved(one, None)
    assert august() == 20


def test_a_card_that_was_handed_over_later_than_its_first_use_by_a_wrong_clock_is_judged_at_the_time_of_purchase(
    world: World, tills: tuple[RawTill, RawTill]
) -> None:
    till, _ = tills
    one = world.residents[0]
    Card.objects.filter(resident=one).update(active_from=None)
    count(till, till.sale(at=on(20), reduced=20))
    assert fates()[TERMINAL, 1] == "rejected card_not_valid"
    card = Card.objects.get(resident=one)
    hand_over(card.pk, documents=["passport"], office="Ward 1", at=datetime.fromisoformat(on(10)), actor="clerk")
    count_all()
    assert (august(), fates()[TERMINAL, 1]) == (20, "counted")


def test_a_copy_stays_a_copy_and_its_first_use_stays_the_first(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, other = tills
    one = world.residents[0]
    count(till, till.sale(at=on(3), reduced=100))
    world.cards[one].counter -= 1
    count(other, other.sale(at=on(4), reduced=1000))
    assert (august(), fates()) == (100, {(SECOND, 1): "held card_cloned"})
    lose(one, on(2))
    with pytest.raises(PurchaseMissing):
        answer(one, [key(1, SECOND)], confirm=True, now=timezone.now(), actor="me")
    assert august() == 0
    say(one, 1, mine=True)
    assert (august(), fates()[SECOND, 1]) == (100, "held card_cloned")


def test_of_two_held_uses_of_a_counter_one_can_be_confirmed(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    one = world.residents[0]
    lose(one, on(2))
    first = till.sale(at=on(3), reduced=100)
    world.cards[one].counter -= 1
    count(till, first, till.sale(at=on(4), reduced=1000))
    assert say(one, 2, mine=True) == [("counted", "")]
    assert say(one, 1, mine=True) == [("held", "card_cloned")]
    with pytest.raises(PurchaseMissing):
        say(one, 1, mine=False)
    assert august() == 1000


def test_a_void_of_a_held_sale_leaves_nothing_to_answer(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    one = world.residents[0]
    count(till, sale := till.sale(at=on(3), reduced=1000))
    lose(one, on(2))
    count(till, till.void(sale))
    assert (fates()[TERMINAL, 1], number_held(one)) == ("voided", 0)
    with pytest.raises(PurchaseMissing):
        say(one, 1, mine=True)
    assert august() == 0


def test_a_sale_moved_by_its_shop_keeps_its_answer(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    one = world.residents[0]
    count(till, sale := till.sale(at=on(3), reduced=1000))
    lose(one, on(2))
    count(till, till.correct(sale, reduced=900, sold_at=on(5)))
    assert (august(), fates()[TERMINAL, 1]) == (0, "held card_suspended")
    say(one, 1, mine=True)
    count(till, till.give_back(sale, reduced=100))
    assert august() == 800
    count(till, till.correct(sale, reduced=900, sold_at=on(1)))
    assert august() == 800
    assert rebuilt_alike()


def test_tills_read_what_became_of_a_sale_that_was_judged_again(
    world: World, web: str, tills: tuple[RawTill, RawTill]
) -> None:
    till, _ = tills
    one = world.residents[0]
    count(till, till.sale(at=on(3), reduced=1000))
    before = timezone.now()
    lose(one, on(2))
    rows = read(web, world.api_key, changed_after=before.isoformat())
    assert [(row["seq"], row["status"], row["error"]["code"]) for row in rows] == [(1, "held", "card_suspended")]
    say(one, 1, mine=True)
    assert [row["seq"] for row in read(web, world.api_key, status="counted")] == [1]
    assert "resident" not in str(rows)


def test_under_a_scheme_of_single_purchases_what_a_held_purchase_brings_goes_and_comes_back(
    world: World, by_purchase: None, tills: tuple[RawTill, RawTill]
) -> None:
    till, _ = tills
    count(till, sale := till.sale(at=on(3), reduced=500), till.sale(at=on(4), reduced=200))
    count(till, till.give_back(sale, reduced=200))
    assert bases() == {(1, 8, "reduced"): 50}
    lose(world.residents[0], on(2))
    assert bases() == {}
    say(world.residents[0], 1, mine=True)
    assert bases() == {(1, 8, "reduced"): 30}
    assert rebuilt_alike()


def test_a_frozen_year_gets_the_difference_with_its_next_run_and_both_ways_agree_and_replays_are_the_same(
    world: World, till: RawTill
) -> None:
    one, two = world.residents
    sales = [till.sale(one, at=on(day), reduced=11_000) for day in (1, 3, 4, 5)]
    count(till, *sales, till.sale(two, at=on(3), reduced=22_000))
    to_approved()
    lose(one, on(2))
    count(till, till.give_back(sales[1], reduced=1_000, at=f"{timezone.now().year}-01-02T10:00:00+09:00"))
    say(one, 3, mine=True)
    say(one, 4, mine=False)
    to_approved()
    entitled, earlier, due = dues(2)[one]
    assert (earlier, due) == (dues(1)[one][0], entitled - earlier)
    assert entitled * 2 == earlier
    assert list(dues(2)) == [one]
    say(one, 2, mine=True)
    to_verified()
    assert replay(one, 2017, 1).identical
    assert replay(one, 2017, 2).identical
    assert replay(one, 2017, 3).identical
    assert replay(two, 2017).identical
    assert [sum(left.amounts.values()) for left in replay(one, 2017, 1).purchases] == [11_000] * 4
    assert [sum(left.amounts.values()) for left in replay(one, 2017, 2).purchases] == [11_000, 0, 11_000, 0]
    assert [sum(left.amounts.values()) for left in replay(one, 2017, 3).purchases] == [11_000, 10_000, 11_000, 0]
    assert rebuilt_alike()


def test_a_freeze_waits_for_what_is_to_be_judged_again(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    count(till, till.sale(at=on(3), reduced=1000))
    lose(world.residents[0], on(2), counted=False)
    with pytest.raises(OutboxNotEmpty):
        freeze(2017, actor="test", drain_timeout_s=0.5)
    count_all()
    freeze(2017, actor="test", drain_timeout_s=0.5)
    assert totals() == {}


def test_many_sales_are_judged_in_pieces_and_all_in_the_end(
    world: World, tills: tuple[RawTill, RawTill], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.accruals.operations.judging.SALES_LOOKED_AT", 3)
    monkeypatch.setattr("apps.accruals.operations.judging.SALES_CHANGED", 2)
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


def in_thread(work: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        try:
            work()
        finally:
            connections.close_all()

    return run


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


def test_the_trail_tells_that_somebody_answered_and_not_about_what(
    world: World, tills: tuple[RawTill, RawTill]
) -> None:
    till, _ = tills
    one = world.residents[0]
    count(till, till.sale(at=on(3), reduced=1000))
    lose(one, on(2))
    say(one, 1, mine=True)
    event = Event.objects.get(action="purchase.answer")
    assert (event.subject, event.detail) == (f"resident:{one}", {"answer": "confirmed", "purchases": 1})

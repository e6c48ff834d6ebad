"""Sales judged again: cards lost before it was known, days of residence that change, and what residents say."""

from datetime import date, datetime

import pytest
from django.utils import timezone

from apps.accruals.claims import claim_of
from apps.accruals.models import CardCounter, Entry, Withheld
from apps.accruals.operations.answering import AnswerFinal, answer
from apps.accruals.operations.claiming import claim_purchase
from apps.accruals.operations.counting import count_all
from apps.accruals.operations.withdrawing import PurchaseMissing
from apps.accruals.queries import held_of_resident, number_held
from apps.audit.models import Alarm, Event
from apps.refunds.operations.freezing import OutboxNotEmpty, freeze
from apps.refunds.queries.replays import replay
from apps.residents.models import Card
from apps.residents.operations.card_life import hand_over
from apps.schemes.models import TaxYear
from tests.integration.test_reading_back import read
from tests.judging import august, find, key, lose, moved, on, rebuilt_alike, say
from tests.till import SECOND, RawTill, bases, fates, send, totals
from tests.world import TERMINAL, World
from tests.year_end import count, dues, to_approved, to_verified

pytestmark = pytest.mark.django_db(transaction=True)


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
    assert {e.kind: e.amounts_minor for e in Entry.objects.all()} == {"sale": [1000], "return": [-300]}
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
    count(other, copy := other.sale(at=on(4), reduced=1000))
    assert (august(), fates()) == (100, {(SECOND, 1): "held card_cloned"})
    lose(one, on(2))
    count(other, other.correct(copy, reduced=1000, sold_at=on(5)))
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
    assert not Alarm.objects.exists()
    assert say(one, 1, mine=True) == [("held", "card_cloned")]
    assert Alarm.objects.get().kind == "card_cloned"
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


def test_a_denied_sale_that_its_shop_moves_to_a_time_when_the_card_was_there_stays_rejected(
    world: World, tills: tuple[RawTill, RawTill]
) -> None:
    till, _ = tills
    count(till, sale := till.sale(at=on(3), reduced=1000))
    lose(world.residents[0], on(2))
    say(world.residents[0], 1, mine=False)
    count(till, till.correct(sale, reduced=1000, sold_at=on(1)))
    assert (august(), fates()[TERMINAL, 1]) == (0, "rejected card_not_valid")


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


def test_a_sale_that_its_shop_moves_to_a_time_when_the_card_was_lost_is_held_and_its_replays_are_the_same(
    world: World, till: RawTill
) -> None:
    one = world.residents[0]
    lose(one, on(2))
    count(till, sale := till.sale(at=on(1), reduced=11_000), till.sale(at=on(1), reduced=22_000))
    to_approved()
    count(till, till.correct(sale, reduced=11_000, sold_at=on(3)))
    count(till, till.give_back(sale, reduced=1_000))
    to_approved()
    assert (august(), totals()[2017, 2, 8, "reduced"]) == (33_000, (-11_000, -1))
    say(one, 1, mine=True)
    to_verified()
    for number, left in ((1, [11_000, 22_000]), (2, [0, 22_000]), (3, [10_000, 22_000])):
        again = replay(one, 2017, number)
        assert again.identical
        assert sorted(sum(found.amounts.values()) for found in again.purchases) == left


def test_a_freeze_waits_for_what_is_to_be_judged_again(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    count(till, till.sale(at=on(3), reduced=1000))
    lose(world.residents[0], on(2), counted=False)
    with pytest.raises(OutboxNotEmpty):
        freeze(2017, actor="test", drain_timeout_s=0.5)
    count_all()
    freeze(2017, actor="test", drain_timeout_s=0.5)
    assert totals() == {}


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

"""Returns, voids and corrections, from the API to the resident's totals."""

from datetime import UTC, datetime

import pytest
from django.utils import timezone

from apps.accruals.models import CardCounter, Entry
from apps.accruals.operations.counting import count_all
from apps.accruals.operations.settling import settle_due
from apps.audit.models import Alarm
from apps.purchases.models import Followup
from apps.residents.models import Card, Resident
from apps.schemes.models import TaxYear
from tests.till import SECOND, RawTill, Record, fates, send, totals
from tests.world import TERMINAL, World, suspend

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_return_is_taken_from_the_sales_resident_month_and_year(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, other = tills
    this_year = timezone.now().year
    sale = till.sale(world.residents[1], at="2017-12-31T23:59:59+09:00", reduced=1000, standard=300)
    other.give_back(sale, terminal=TERMINAL, at=f"{this_year}-01-02T10:00:00+09:00", reduced=400)
    assert send(till) == send(other) == []
    count_all()
    assert totals() == {(2017, 1, 12, "reduced"): (600, 1), (2017, 1, 12, "standard"): (300, 1)}
    assert set(Entry.objects.values_list("resident_ref", flat=True)) == {world.residents[1]}
    returned = Entry.objects.get(kind="return")
    assert (returned.amounts_minor, returned.tax_year, returned.month) == ([-400], 2017, 12)
    assert fates() == {(SECOND, 1): "counted"}


def test_a_sale_returned_in_full_is_nothing(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    sale = till.sale(reduced=1000, standard=300)
    till.give_back(sale, reduced=1000)
    till.give_back(sale, standard=300)
    send(till)
    count_all()
    assert totals() == {}


def test_more_returned_than_sold_is_refused_with_what_is_left(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    sale = till.sale(reduced=1000)
    till.give_back(sale, reduced=700)
    till.give_back(sale, reduced=301)
    till.give_back(sale, standard=1)
    send(till)
    count_all()
    assert totals() == {(2017, 1, 8, "reduced"): (300, 1)}
    assert fates() == {
        (TERMINAL, 2): "counted",
        (TERMINAL, 3): "rejected return_exceeds_sale reduced=300",
        (TERMINAL, 4): "rejected return_exceeds_sale standard=0",
    }


def test_what_comes_before_its_sale_waits_and_is_counted_when_the_sale_comes(
    world: World, tills: tuple[RawTill, RawTill]
) -> None:
    till, other = tills
    sale = till.sale(reduced=1000)
    returned = other.give_back(sale, terminal=TERMINAL, reduced=400)
    corrected = till.correct(sale, reduced=900)
    send(other, returned)
    send(till, corrected)
    count_all()
    assert totals() == {}
    assert fates() == {(SECOND, 1): "waiting", (TERMINAL, 2): "waiting"}
    send(till, sale)
    count_all()
    assert totals() == {(2017, 1, 8, "reduced"): (500, 1)}
    assert fates() == {(SECOND, 1): "counted", (TERMINAL, 2): "counted"}
    assert not Followup.objects.filter(due=True).exists()
    assert not Followup.objects.filter(waiting=True).exists()


def test_a_voided_sale_stays_void_when_it_comes_again(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    sale = till.sale(reduced=1000)
    till.void(sale)
    till.void(sale)
    till.correct(sale, reduced=1)
    send(till)
    count_all()
    send(till, sale)
    count_all()
    assert totals() == {}
    assert fates() == {
        (TERMINAL, 1): "voided",
        (TERMINAL, 2): "counted",
        (TERMINAL, 3): "rejected already_void",
        (TERMINAL, 4): "rejected already_void",
    }


def test_a_void_may_come_before_the_return_that_it_takes_back(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    sale = till.sale(reduced=1000)
    returned = till.give_back(sale, reduced=400)
    void = till.void(returned)
    for record in (void, sale, returned):
        send(till, record)
        count_all()
    assert totals() == {(2017, 1, 8, "reduced"): (1000, 1)}
    assert fates()[TERMINAL, 2] == "voided"


def test_a_refused_sale_is_mended_though_the_customer_has_left(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    wrong = till.sale(world.residents[1], foood=1000)
    till.give_back(wrong, reduced=100)
    till.correct(wrong, reduced=1000)
    assert send(till) == [(1, "tier_unknown")]
    count_all()
    assert totals(world.residents[1]) == {(2017, 1, 8, "reduced"): (900, 1)}
    assert fates() == {(TERMINAL, 1): "counted", (TERMINAL, 2): "counted", (TERMINAL, 3): "counted"}
    card = Card.objects.get(resident_id=world.residents[1])
    assert CardCounter.objects.filter(card=card.pk).exists()


def test_a_mended_sales_card_is_judged_like_any_other(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    suspend(world.residents[0], datetime(2017, 1, 2, tzinfo=UTC))
    wrong = till.sale(foood=1000)
    till.correct(wrong, reduced=1000)
    send(till)
    count_all()
    assert totals() == {}
    assert fates() == {(TERMINAL, 1): "held card_suspended", (TERMINAL, 2): "held card_suspended"}


def test_a_wrong_clock_is_mended_and_moves_the_sale(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    ahead = till.sale(at="2217-08-03T09:30:00+09:00", reduced=1000)
    till.correct(ahead, sold_at="2017-08-03T09:30:00+09:00", reduced=1000)
    misdated = till.sale(at="2017-02-01T09:30:00+09:00", reduced=50)
    till.correct(misdated, sold_at="2017-03-01T09:30:00+09:00", reduced=60)
    assert send(till) == [(1, "year_not_open")]
    count_all()
    assert totals() == {(2017, 1, 8, "reduced"): (1000, 1), (2017, 1, 3, "reduced"): (60, 1)}


def test_a_refused_return_is_mended_by_a_correction(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    sale = till.sale(reduced=1000)
    returned = till.give_back(sale, foood=400)
    till.correct(returned, reduced=400)
    assert send(till) == [(2, "tier_unknown")]
    count_all()
    assert totals() == {(2017, 1, 8, "reduced"): (600, 1)}
    assert fates() == {(TERMINAL, 2): "counted", (TERMINAL, 3): "counted"}


def test_what_follows_a_held_sale_is_held_with_it(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    suspend(world.residents[0], datetime(2017, 1, 2, tzinfo=UTC))
    sale = till.sale(reduced=1000)
    till.give_back(sale, reduced=100)
    send(till)
    count_all()
    assert totals() == {}
    assert fates() == {(TERMINAL, 1): "held card_suspended", (TERMINAL, 2): "held card_suspended"}


def test_a_return_of_a_sale_without_a_card_is_counted_on_no_account(
    world: World, tills: tuple[RawTill, RawTill]
) -> None:
    till, _ = tills
    sale = till.sale(reduced=1000)
    del sale["card"]
    till.give_back(sale, reduced=100)
    send(till)
    count_all()
    assert (totals(), fates()) == ({}, {(TERMINAL, 2): "counted"})


def test_what_names_something_else_is_refused(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, other = tills
    sale = till.sale(reduced=1000)
    unused = till.unused()
    till.void(unused)
    returned = till.give_back(sale, reduced=1)
    till.give_back(returned, reduced=1)
    rival = other.give_back(sale, terminal="rival-1", reduced=1)
    send(till)
    assert send(other, rival) == [(1, "record_malformed")]
    count_all()
    assert fates() == {
        (TERMINAL, 3): "rejected of_not_a_sale",
        (TERMINAL, 4): "counted",
        (TERMINAL, 5): "rejected of_not_a_sale",
    }


def test_what_names_a_record_that_cannot_be_mended_is_refused_and_does_not_wait(
    world: World, tills: tuple[RawTill, RawTill]
) -> None:
    till, _ = tills
    sale = till.sale(reduced=1000)
    unused = till.unused()
    till.void(unused)
    far = till.give_back(sale, reduced=1, at="2012-01-01T00:00:00+09:00")
    till.correct(far, reduced=1)
    blurred: Record = {"seq": 6, "at": "2017-08-03T09:30:00+09:00", "lines": [{"tier": "a=b", "amount": 1}]}
    till.records.append(blurred)
    till.correct(blurred, reduced=1)
    till.void(till.give_back(unused, reduced=1))
    for record in reversed(till.records):
        send(till, record)
        count_all()
    assert not Followup.objects.filter(due=True).exists()
    assert not Followup.objects.filter(waiting=True).exists()
    assert not Alarm.objects.filter(kind="followup_failed").exists()
    rejected = {number for (_, number), fate in fates().items() if fate == "rejected of_not_a_sale"}
    assert rejected == {3, 5, 7, 8, 9}


def test_a_void_of_a_correction_books_nothing_twice(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    sale = till.sale(reduced=1000)
    corrected = till.correct(sale, reduced=100_000)
    send(till)
    count_all()
    send(till, till.void(corrected), till.give_back(sale, reduced=1))
    count_all()
    assert totals() == {(2017, 1, 8, "reduced"): (99_999, 1)}
    assert fates()[TERMINAL, 3] == "rejected of_not_a_sale"


def test_a_return_of_a_return_books_nothing_and_hides_nothing(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    sale = till.sale(reduced=1000)
    returned = till.give_back(sale, reduced=400)
    wrong = till.give_back(returned, reduced=400)
    send(till)
    count_all()
    send(till, till.void(wrong), till.void(returned))
    count_all()
    assert totals() == {(2017, 1, 8, "reduced"): (1000, 1)}
    assert fates()[TERMINAL, 3] == fates()[TERMINAL, 4] == "rejected of_not_a_sale"
    assert not Followup.objects.filter(due=True).exists()


def test_a_void_may_be_counted_while_its_return_is_not(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    sale = till.sale(reduced=1000)
    returned = till.give_back(sale, reduced=400)
    void = till.void(returned)
    send(till, void)
    count_all()
    send(till, sale)
    count_all()
    send(till, returned)
    Followup.objects.update(due=True)
    assert settle_due() == 1  # the return is accepted and not counted: the void goes on waiting
    assert Followup.objects.get().waiting
    count_all()
    assert totals() == {(2017, 1, 8, "reduced"): (1000, 1)}


@pytest.mark.parametrize("spelling", ["XYZ", "x" * 9000])
@pytest.mark.parametrize("field", ["card", "claim"])
def test_a_card_that_was_none_is_none_when_its_sale_is_mended(
    world: World, tills: tuple[RawTill, RawTill], field: str, spelling: str
) -> None:
    till, other = tills
    wrong = till.sale(reduced=1)
    del wrong["card"]
    wrong[field] = spelling
    till.correct(wrong, reduced=1000)
    good = other.sale(reduced=50)
    other.give_back(good, reduced=20)
    send(till)
    send(other)
    count_all()
    assert fates()[TERMINAL, 1] == "rejected cryptogram_wrong"
    assert totals() == {(2017, 1, 8, "reduced"): (30, 1)}


def test_a_card_is_judged_at_the_time_that_a_correction_gives(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    june, march, august = "2017-06-01T00:00:00+09:00", "2017-03-01T09:00:00+09:00", "2017-08-01T09:00:00+09:00"
    Card.objects.filter(resident_id=world.residents[0]).update(
        valid_from=(start := datetime.fromisoformat(june)), active_from=start
    )
    early = till.sale(at=march, reduced=100)
    refused = till.sale(at=march, foood=100)
    send(till)
    send(till, till.correct(refused, reduced=1000))
    count_all()
    assert totals() == {}
    assert fates()[TERMINAL, 1] == fates()[TERMINAL, 3] == "rejected card_not_valid"
    send(till, till.correct(refused, reduced=1000, sold_at=august), till.correct(early, reduced=100, sold_at=august))
    count_all()
    assert totals() == {(2017, 1, 8, "reduced"): (1100, 2)}
    assert {fates()[TERMINAL, seq] for seq in range(1, 6)} == {"counted"}
    send(till, till.correct(early, reduced=100, sold_at=march))
    count_all()
    assert totals() == {(2017, 1, 8, "reduced"): (1000, 1)}
    assert fates()[TERMINAL, 1] == "rejected card_not_valid"


def test_after_the_deadline_nothing_raises_a_closed_year(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    sale = till.sale(reduced=1000)
    returned = till.give_back(sale, reduced=1000)
    send(till)
    count_all()
    TaxYear.objects.filter(year=2017).update(deadline_at=timezone.now())
    now = f"{timezone.now().year}-01-02T10:00:00+09:00"
    send(till, till.void(returned, at=now), till.correct(returned, at=now, reduced=1))
    count_all()
    assert totals() == {}
    assert fates()[TERMINAL, 3] == fates()[TERMINAL, 4] == "rejected year_closed 2017"


def test_a_return_refused_as_malformed_is_mended_too(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    sale = till.sale(reduced=1000)
    returned = till.give_back(sale, reduced=100)
    returned["lines"] = returned["lines"] * 2
    till.correct(returned, reduced=150)
    assert send(till) == [(2, "record_malformed")]
    count_all()
    assert totals() == {(2017, 1, 8, "reduced"): (850, 1)}


def test_what_is_bought_outside_the_time_of_residence_is_rejected_by_the_day_in_the_schemes_time_zone(
    world: World, tills: tuple[RawTill, RawTill]
) -> None:
    till, _ = tills
    Resident.objects.filter(ref=world.residents[0]).update(resident_from="2017-04-01", resident_to="2017-09-01")
    start = datetime(2017, 1, 1, tzinfo=UTC)
    Card.objects.filter(resident_id=world.residents[0]).update(valid_from=start, active_from=start)
    till.sale(at="2017-03-31T23:59:59+09:00", reduced=1)
    till.sale(at="2017-03-31T15:00:00Z", reduced=20)
    last = till.sale(at="2017-08-31T23:59:59+09:00", reduced=300)
    till.sale(at="2017-08-31T15:00:00Z", reduced=4000)
    send(till)
    count_all()
    assert totals() == {(2017, 1, 4, "reduced"): (20, 1), (2017, 1, 8, "reduced"): (300, 1)}
    assert fates() == {(TERMINAL, 1): "rejected card_not_valid", (TERMINAL, 4): "rejected card_not_valid"}
    send(till, till.correct(last, sold_at="2017-09-01T00:00:00+09:00", reduced=300))
    count_all()
    assert totals() == {(2017, 1, 4, "reduced"): (20, 1)}
    assert fates()[TERMINAL, 3] == fates()[TERMINAL, 5] == "rejected card_not_valid"

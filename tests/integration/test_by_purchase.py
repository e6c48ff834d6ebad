"""Totals under a scheme that takes purchases one by one: a tenth of food, of 100 yen at least, 40 yen at most."""

import pytest
from django.db import IntegrityError
from django.utils import timezone

from apps.accruals.models import Total
from apps.accruals.operations.counting import count_all
from apps.accruals.operations.years import freeze_run
from tests.till import RawTill, bases, send, totals
from tests.world import World

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("by_purchase")]
OCTOBER = "2017-10-03T09:30:00+09:00"  # from here on the standard rate is 0, and a tenth of its net amount comes back
ALL = (2017, 1, 8, "")


def test_a_partial_return_takes_back_only_what_the_cap_had_let_through(
    world: World, tills: tuple[RawTill, RawTill]
) -> None:
    till, other = tills
    sale = till.sale(reduced=1000)
    send(till)
    count_all()
    assert bases() == {(1, 8, "reduced"): 40}
    other.give_back(sale, terminal=till.terminal, reduced=500)
    send(other)
    count_all()
    assert (bases(), totals()[ALL]) == ({(1, 8, "reduced"): 40}, (500, 1))
    send(till, till.give_back(sale, reduced=250))
    count_all()
    assert (bases(), totals()[ALL]) == ({(1, 8, "reduced"): 25}, (250, 1))
    send(till, till.give_back(sale, reduced=151))
    count_all()
    assert (bases(), totals()[ALL]) == ({}, (99, 1))
    send(till, till.give_back(sale, reduced=99))
    count_all()
    assert (bases(), totals()) == ({}, {})


def test_a_purchase_counts_once_whatever_its_tiers(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    sale = till.sale(reduced=100, standard=100)
    till.sale(standard=50)
    send(till)
    count_all()
    assert totals() == {
        ALL: (250, 2), (2017, 1, 8, "reduced"): (100, 1), (2017, 1, 8, "standard"): (150, 2),
    }  # fmt: skip
    send(till, till.give_back(sale, standard=100))
    count_all()
    assert totals()[ALL] == (150, 2)
    send(till, till.give_back(sale, reduced=100))
    count_all()
    assert totals()[ALL] == (50, 1)


def test_what_one_tier_leaves_of_the_cap_goes_to_the_other_in_the_run_of_the_return(
    world: World, tills: tuple[RawTill, RawTill]
) -> None:
    till, _ = tills
    sale = till.sale(at=OCTOBER, reduced=380, standard=1100)
    send(till)
    count_all()
    assert bases() == {(1, 10, "reduced"): 38, (1, 10, "standard"): 2}
    freeze_run(2017, now=timezone.now())
    send(till, till.give_back(sale, reduced=180, at=OCTOBER))
    count_all()
    assert {key: base for key, base in bases().items() if key[0] == 2} == {
        (2, 10, "reduced"): -18, (2, 10, "standard"): 18,
    }  # fmt: skip
    assert totals()[2017, 2, 10, ""] == (-180, 0)


def test_a_return_before_its_sale_comes_to_the_same(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, other = tills
    sale = till.sale(reduced=450)
    returned = other.give_back(sale, terminal=till.terminal, reduced=250)
    send(other, returned)
    count_all()
    send(till, sale)
    count_all()
    assert (bases(), totals()[ALL]) == ({(1, 8, "reduced"): 20}, (200, 1))


def test_a_void_takes_all_that_a_purchase_brought(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    sale = till.sale(at=OCTOBER, reduced=200, standard=1100)
    till.give_back(sale, reduced=50, at=OCTOBER)
    send(till)
    count_all()
    assert bases() == {(1, 10, "reduced"): 15, (1, 10, "standard"): 25}
    send(till, till.void(sale, at=OCTOBER))
    count_all()
    assert (bases(), totals()) == ({}, {})


def test_a_correction_over_a_months_border_is_measured_anew(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    sale = till.sale(at="2017-09-30T23:59:59+09:00", reduced=100, standard=220)
    send(till)
    count_all()
    assert bases() == {(1, 9, "reduced"): 10}
    send(till, till.correct(sale, at=OCTOBER, sold_at="2017-10-01T00:00:00+09:00", reduced=100, standard=220))
    count_all()
    assert bases() == {(1, 10, "reduced"): 10, (1, 10, "standard"): 20}
    assert totals() == {
        (2017, 1, 10, ""): (320, 1), (2017, 1, 10, "reduced"): (100, 1), (2017, 1, 10, "standard"): (220, 1),
    }  # fmt: skip


def test_test_purchases_are_measured_where_no_run_reads(world: World, tills: tuple[RawTill, RawTill]) -> None:
    live, _ = tills
    live.sale(reduced=100)
    send(live)
    till = RawTill(world, "test-1")
    till.sale(world.test_resident, reduced=200)
    send(till)
    count_all()
    assert bases(world.test_resident) == {(0, 8, "reduced"): 20}
    assert bases(world.residents[0]) == {(1, 8, "reduced"): 10}


def test_a_total_with_bases_and_one_without_do_not_add_up(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    till.sale(reduced=100)
    send(till)
    count_all()
    with pytest.raises(IntegrityError):
        Total.objects.filter(tier="").update(bases_minor=[0] * 12)
    Total.objects.update(bases_minor=None)
    send(till, till.sale(reduced=100))
    count_all()
    assert totals()[ALL] == (100, 1)

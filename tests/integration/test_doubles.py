"""What officers see beside a purchase that is reported missing: sales that it may be the double of."""

from datetime import datetime

import pytest

from apps.accruals.queries.sales import doubles_of
from apps.purchases.models import Outcome
from tests.judging import on
from tests.till import RawTill
from tests.world import World
from tests.year_end import count

pytestmark = pytest.mark.django_db(transaction=True)


def test_officers_see_what_a_missing_purchase_may_be_the_double_of(world: World, till: RawTill) -> None:
    one = world.residents[0]
    count(
        till,
        till.sale(at=on(3), reduced=700),
        till.sale(at=on(3), claim="A" * 43, reduced=600, standard=100),
        till.sale(world.residents[1], at=on(3), reduced=700),
        till.sale(at=on(4), reduced=700),
        till.sale(at=on(3), reduced=701),
    )
    found = doubles_of(one, datetime.fromisoformat(on(3)), 700)
    assert [(double.seq, double.own) for double in found] == [(1, True), (2, False)]


def test_what_others_claimed_hides_no_double_and_the_nearest_comes_first(world: World, till: RawTill) -> None:
    one = world.residents[0]
    times = [f"2017-08-03T{hour:02}:00:00+09:00" for hour in range(23)]
    count(till, *(till.sale(at=at, claim=f"{hour:02}" + "A" * 41, reduced=700) for hour, at in enumerate(times)))
    Outcome.objects.filter(seq__lte=21).update(status="counted")
    found = doubles_of(one, datetime.fromisoformat("2017-08-03T22:10:00+09:00"), 700)
    assert [double.seq for double in found] == [23, 22]

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.kernel.periods import Period, consecutive, covers, year_period

days = st.dates(date(2000, 1, 1), date(2040, 12, 31))


def test_the_first_day_belongs_to_a_period_and_the_end_day_does_not() -> None:
    year = year_period(2017)
    assert date(2017, 1, 1) in year
    assert date(2017, 12, 31) in year
    assert date(2018, 1, 1) not in year


def test_a_period_cannot_end_before_it_starts() -> None:
    with pytest.raises(ValueError, match="must end after it starts"):
        Period(date(2017, 1, 2), date(2017, 1, 2))


@given(st.lists(days, min_size=1, max_size=6, unique=True).map(sorted), days)
def test_consecutive_periods_have_each_day_from_the_first_on_exactly_once(starts: list[date], day: date) -> None:
    holding = [period for period in consecutive(starts) if day in period]
    assert len(holding) == (1 if day >= starts[0] else 0)


@given(st.tuples(days, days, days, days), days)
def test_an_overlap_has_the_days_that_both_have(bounds: tuple[date, date, date, date], day: date) -> None:
    first, last = sorted(bounds[:2])
    other_first, other_last = sorted(bounds[2:])
    if first == last or other_first == other_last:
        return
    one, other = Period(first, last), Period(other_first, other_last)
    shared = one.overlap(other)
    assert (shared is not None and day in shared) == (day in one and day in other)


@given(st.lists(days, min_size=2, max_size=8, unique=True).map(sorted), st.data())
def test_periods_cover_another_when_each_of_its_days_is_in_one(bounds: list[date], data: st.DataObject) -> None:
    kept = [Period(*pair) for pair in pairwise(bounds) if data.draw(st.booleans())]
    start, end = data.draw(st.sampled_from(list(pairwise(bounds)))), data.draw(days)
    whole = Period(start[0], max(end, start[1]))
    each_day = (whole.start + timedelta(days=n) for n in range((whole.end - whole.start).days if whole.end else 0))
    assert covers(kept, whole) == all(any(day in period for period in kept) for day in each_day)


def test_a_period_without_an_end_is_covered_only_by_another() -> None:
    first, rest = Period(date(2017, 1, 1), date(2018, 1, 1)), Period(date(2018, 1, 1), None)
    assert covers([rest, first], Period(date(2017, 5, 1), None))
    assert not covers([first], Period(date(2017, 5, 1), None))
    assert not covers([], first)

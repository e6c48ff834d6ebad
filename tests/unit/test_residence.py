"""What a row makes of residence: who leaves, comes back or is taken up elsewhere was resident on just those days."""

from datetime import date, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from apps.kernel.periods import Period
from apps.residents.months import stretches
from apps.residents.register.changes import month_from, month_of
from apps.residents.register.residence import Residence, Span, first_change, residence_by

A, B = "131121", "271004"
BORN, LEFT, BACK = date(2010, 4, 1), date(2017, 8, 1), date(2018, 5, 10)
ONE = Residence(BORN, None, A)
DAYS = st.dates(date(2015, 1, 1), date(2019, 12, 31))


def after(known: Residence, start: date, end: date | None, municipality: str = A) -> Residence:
    judged = residence_by(known, start, end, municipality)
    assert judged
    return judged.residence


def test_who_leaves_and_comes_back_was_away_in_between() -> None:
    left = after(ONE, BORN, LEFT)
    back = after(left, BACK, None)
    assert back == Residence(BACK, None, A, (Span(BORN, LEFT, A),))
    assert [back.covers(day) for day in (BORN, LEFT, BACK)] == [True, False, True]
    assert first_change(left, back) == BACK
    assert after(back, BACK, None) == back


def test_who_moves_to_another_municipality_stays_resident() -> None:
    moved = after(ONE, LEFT, None, B)
    assert moved == Residence(LEFT, None, B, (Span(BORN, LEFT, A),))
    assert first_change(ONE, moved) is None


def test_the_old_municipalitys_row_changes_the_old_time_only_whichever_comes_first() -> None:
    moved = after(ONE, LEFT, None, B)
    judged = residence_by(moved, BORN, LEFT, A)
    assert judged == (moved, True)
    late = residence_by(Residence(LEFT, None, B), BORN, LEFT, A)
    assert late == (moved, True)


def test_a_corrected_day_moves_the_latest_time_and_days_that_overlap_are_refused() -> None:
    assert after(ONE, date(2011, 1, 1), None) == Residence(date(2011, 1, 1), None, A)
    back = after(after(ONE, BORN, LEFT), BACK, None)
    assert after(back, date(2018, 1, 1), None).start == date(2018, 1, 1)
    assert residence_by(back, date(2017, 1, 1), None, A) is None


@given(DAYS, DAYS, DAYS, st.none() | DAYS)
def test_the_first_change_is_the_first_day_that_is_judged_otherwise(a: date, b: date, c: date, d: date | None) -> None:
    old = Residence(a, None, A)
    new = Residence(b, d if d and d > b else None, A, (Span(c, min(b, c + timedelta(90)), A),) if c < b else ())
    days = (date(2015, 1, 1) + timedelta(n) for n in range(6 * 366))
    assert first_change(old, new) == next((day for day in days if old.covers(day) != new.covers(day)), None)


@given(DAYS)
def test_months_begin_on_the_first(day: date) -> None:
    assert month_of(day) <= day <= month_from(day)
    assert month_of(day).day == month_from(day).day == 1
    assert (month_from(day) - day).days < 31


def test_the_months_between_leaving_and_coming_back_are_not_of_residence() -> None:
    me, home = UUID(int=1), UUID(int=2)
    times = [Period(date(2017, 9, 10)), Period(date(2000, 1, 1), date(2017, 4, 1))]
    assert stretches(me, times, [(Period(date(2000, 1, 1)), home)], 2017) == [(home, 1, 3), (home, 9, 12)]

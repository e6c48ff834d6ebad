"""How long a consent to be seen by the household is good: as long as nobody left it in between."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from apps.kernel.periods import Period
from apps.residents.seeing import is_seen, unbroken

FIRST = date(2024, 1, 1)
DAYS = 40


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


@st.composite
def stays(draw: st.DrawFn) -> list[Period]:
    """Stays in one household that do not overlap, in any order, the last one open or not."""
    cuts = sorted(draw(st.sets(st.integers(0, DAYS), min_size=2, max_size=8)))
    kept = draw(st.lists(st.booleans(), min_size=len(cuts) - 1, max_size=len(cuts) - 1))
    spans = [(start, end) for start, end, keep in zip(cuts[:-1], cuts[1:], kept, strict=True) if keep]
    found = [Period(day(start), day(end)) for start, end in spans]
    is_open: bool = draw(st.booleans())
    if found and is_open:
        found[-1] = Period(found[-1].start)
    return draw(st.permutations(found))


@given(stays(), st.integers(-2, DAYS + 2), st.integers(-2, DAYS + 2))
def test_a_consent_counts_exactly_while_every_day_since_was_spent_in_the_household(
    there: list[Period], consented: int, on: int
) -> None:
    first, last = sorted((consented, on))
    every_day = all(any(day(number) in stay for stay in there) for number in range(first, last + 1))
    assert is_seen(there, day(consented), day(on)) == every_day


@given(stays(), st.integers(-2, DAYS + 2))
def test_an_unbroken_stay_is_as_long_as_can_be(there: list[Period], on: int) -> None:
    found = unbroken(there, day(on))
    inside = any(day(on) in stay for stay in there)
    assert (found is not None) == inside
    if found:
        assert not any(found.start - timedelta(days=1) in stay for stay in there)
        assert found.end is None or not any(found.end in stay for stay in there)


def test_who_comes_back_is_not_seen_by_an_old_consent() -> None:
    left_and_back = [Period(date(2024, 1, 1), date(2024, 4, 1)), Period(date(2024, 6, 1))]
    assert is_seen(left_and_back, date(2024, 2, 1), date(2024, 3, 31))
    assert not is_seen(left_and_back, date(2024, 2, 1), date(2024, 4, 1))
    assert not is_seen(left_and_back, date(2024, 2, 1), date(2024, 7, 1))
    assert is_seen(left_and_back, date(2024, 6, 1), date(2024, 7, 1))

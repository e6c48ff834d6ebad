from hypothesis import given
from hypothesis import strategies as st

from apps.purchases.ranges import contains, gaps, merge, next_number, to_ranges

numbers = st.sets(st.integers(1, 60), max_size=40)


def members(ranges: list[tuple[int, int]]) -> set[int]:
    return {number for first, end in ranges for number in range(first, end)}


@given(numbers)
def test_ranges_hold_exactly_the_numbers_given(given_numbers: set[int]) -> None:
    ranges = to_ranges(given_numbers)
    assert members(ranges) == given_numbers
    assert all(contains(ranges, number) == (number in given_numbers) for number in range(70))


@given(numbers, numbers)
def test_merging_is_the_union_and_leaves_no_neighbours_apart(some: set[int], others: set[int]) -> None:
    merged = merge(to_ranges(some), to_ranges(others))
    assert merged == to_ranges(some | others)


@given(numbers)
def test_gaps_are_what_is_missing_below_the_next_number(received: set[int]) -> None:
    ranges = to_ranges(received)
    missing = {number for first, last in gaps(ranges, most=100) for number in range(first, last + 1)}
    assert missing == set(range(1, next_number(ranges))) - received


def test_at_most_so_many_gaps_are_listed() -> None:
    assert len(gaps(to_ranges(range(2, 500, 2)), most=100)) == 100

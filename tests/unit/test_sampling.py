"""Sampling: exact against counting all samples, and against the figures of auditors' tables."""

from decimal import Decimal
from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.inspections.sampling import (
    CONFIDENCES,
    Looked,
    SampleImpossible,
    attribute_size,
    chance_of_at_most,
    confidence_factor,
    first_yen,
    misstatement,
    monetary_interval,
    most_deviating,
    rank,
    times_drawn,
)

P95 = Fraction(95, 100)


def percent(number: int) -> Fraction:
    return Fraction(number, 100)


@given(st.integers(1, 9), st.data())
def test_the_chance_is_what_counting_all_samples_gives(among: int, data: st.DataObject) -> None:
    items, deviating = data.draw(st.integers(1, among)), data.draw(st.integers(0, among))
    deviations = data.draw(st.integers(0, items))
    samples = list(combinations(range(among), items))
    few = sum(sum(item < deviating for item in sample) <= deviations for sample in samples)
    found = chance_of_at_most(deviations, items=items, among=among, deviating=deviating)
    assert found == Fraction(few, len(samples))


@pytest.mark.parametrize(
    ("among", "tolerable", "expected", "size"),
    [
        (3653, 9, 2, (68, 2)),
        (10**7, 9, 2, (68, 2)),  # AICPA's table for large populations, 5 % risk
        (10**7, 5, 0, (59, 0)),
        (10**7, 10, 2, (46, 1)),
        (10**7, 7, 2, (88, 2)),
        (10**7, 5, 1, (93, 1)),
        (10**7, 6, 3, (195, 6)),
        (100, 5, 0, (45, 0)),
    ],
)
def test_sizes_are_those_of_the_tables(among: int, tolerable: int, expected: int, size: tuple[int, int]) -> None:
    found = attribute_size(among, tolerable=percent(tolerable), expected=percent(expected), confidence=P95)
    assert found == size


@given(st.integers(1, 60), st.integers(2, 30), st.integers(0, 28), st.sampled_from(CONFIDENCES))
def test_no_smaller_sample_would_do(among: int, tolerable: int, expected: int, confidence: Fraction) -> None:
    if expected >= tolerable:
        return
    rate, deviating = percent(expected), -(-among * tolerable // 100)
    found = attribute_size(among, tolerable=percent(tolerable), expected=rate, confidence=confidence)

    def is_enough(items: int) -> bool:
        allowed = -(-items * rate.numerator // rate.denominator)
        return chance_of_at_most(allowed, items=items, among=among, deviating=deviating) <= 1 - confidence

    enough = [items for items in range(1, among + 1) if is_enough(items)]
    assert found.items == (enough[0] if enough else among)


@given(st.integers(1, 40), st.data(), st.sampled_from(CONFIDENCES))
def test_the_upper_limit_is_the_last_that_is_not_ruled_out(among: int, data: st.DataObject, sure: Fraction) -> None:
    items = data.draw(st.integers(1, among))
    deviations = data.draw(st.integers(0, items))
    possible = [
        deviating
        for deviating in range(deviations, among - items + deviations + 1)
        if chance_of_at_most(deviations, items=items, among=among, deviating=deviating) > 1 - sure
    ]
    assert most_deviating(deviations, items=items, among=among, confidence=sure) == max(possible)


def test_a_sample_with_the_allowed_deviations_stays_below_the_tolerable_rate() -> None:
    assert most_deviating(2, items=68, among=3653, confidence=P95) < Fraction(9, 100) * 3653
    assert most_deviating(3, items=68, among=3653, confidence=P95) > Fraction(9, 100) * 3653


def test_what_is_expected_has_to_be_below_what_is_tolerated() -> None:
    with pytest.raises(SampleImpossible):
        attribute_size(100, tolerable=percent(2), expected=percent(2), confidence=P95)
    with pytest.raises(SampleImpossible):
        monetary_interval(1000, expected_minor=700, confidence=P95)


def test_confidence_factors_are_those_of_the_tables() -> None:
    factors = [confidence_factor(errors, P95) for errors in range(6)]
    assert [f"{factor:.2f}" for factor in factors] == ["3.00", "4.74", "6.30", "7.75", "9.15", "10.51"]
    assert round(confidence_factor(0, percent(90)), 2) == Decimal("2.30")
    assert round(confidence_factor(0, percent(99)), 2) == Decimal("4.61")


@given(st.lists(st.integers(1, 500), min_size=1, max_size=60), st.integers(1, 300), st.binary(min_size=8, max_size=8))
def test_every_drawn_yen_lies_in_one_item(amounts: list[int], interval: int, seed: bytes) -> None:
    start = first_yen(seed, interval)
    yen = [number for number in range(1, sum(amounts) + 1) if number % interval == start % interval]
    before = 0
    for amount in amounts:
        drawn = sum(before < number <= before + amount for number in yen)
        assert times_drawn(before, amount, start=start, interval=interval) == drawn
        assert drawn >= 1 or amount < interval
        before += amount


def test_ranks_follow_from_the_seed_alone() -> None:
    # as any program has it: printf 'seed12:345' | sha256sum
    assert rank(b"seed", "12:345").hex() == "3b43c30c884758c3f3ea2ed2c6034f0c8990510b8fdb51a7478c8dd01987507f"
    assert [first_yen(seed, 1000) for seed in (b"seed", b"another")] == [324, 872]


def test_a_sample_without_misstatement_leaves_the_basic_limit() -> None:
    found = misstatement([Looked(500, 500)] * 60, interval=10_000, confidence=P95)
    assert found == (0, 29_958, 29_958, 0)


def test_taintings_are_ranked_and_what_was_taken_whole_counts_as_it_is() -> None:
    looked = [Looked(1000, 500), Looked(400, 300), Looked(20_000, 19_000), Looked(200, 250), Looked(300, 300)]
    found = misstatement(looked, interval=10_000, confidence=P95)
    # 1,000 as it is; taintings 50 % and 25 % of an interval each
    assert found.likely_minor == 1_000 + 5_000 + 2_500
    # increments of the factor: 4.7439 - 2.9958 and 6.2958 - 4.7439
    assert found.upper_minor == 1_000 + 29_958 + 8_741 + 3_880
    assert found.understated_minor == 2_500

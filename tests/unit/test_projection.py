"""What a year is likely to bring: the months so far as they are, the others by last year or by days."""

from calendar import monthrange
from datetime import date
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.portal.projection import about, projected_refund, projected_year
from apps.refunds.assessment import Person, assess
from apps.refunds.rules import rules_of
from apps.schemes.operations import SHIPPED, read_scheme_file

REF = UUID(int=1)
SCHEME = read_scheme_file(SHIPPED / "jp-2015.yaml")
RULES = rules_of(SCHEME, 2017)
amounts = st.lists(st.integers(0, 10**9), min_size=12, max_size=12)
bought = st.lists(st.integers(1, 10**9), min_size=12, max_size=12)
days = st.dates(date(2017, 1, 1), date(2017, 12, 31))


def person(**spend: list[int]) -> Person:
    return Person(REF, spend)


def so_far(months: list[int], today: date) -> list[int]:
    return [amount if month < today.month else 0 for month, amount in enumerate(months, start=1)]


@given(bought, days.filter(lambda day: day.month > 1))
def test_who_buys_as_last_year_is_told_what_last_year_brought(months: list[int], today: date) -> None:
    now, last = person(reduced=so_far(months, today)), person(reduced=months)
    year = projected_year(now, last, RULES, today=today)
    assert year is not None
    assert year.spend["reduced"] == months
    assert projected_refund(now, last, RULES, today=today) == about(assess(last, RULES).refund_minor)


@given(amounts, amounts, st.one_of(st.none(), bought), days)
def test_no_month_is_expected_to_have_less_than_it_has(
    reduced: list[int], standard: list[int], last: list[int] | None, today: date
) -> None:
    now = person(reduced=so_far(reduced, today), standard=so_far(standard, today))
    year = projected_year(now, person(reduced=last) if last else None, RULES, today=today)
    if year is None:
        assert not any(sum(months[: today.month - 1]) for months in now.spend.values())
        return
    for tier, months in now.spend.items():
        assert list(year.spend[tier][: today.month - 1]) == months[: today.month - 1]
        assert all(expected >= amount for expected, amount in zip(year.spend[tier], months, strict=True))
    assert assess(year, RULES).refund_minor >= assess(now, RULES).refund_minor


@given(st.integers(1, 10**6), st.integers(2, 12))
def test_without_a_last_year_as_much_is_expected_a_day(a_day: int, month: int) -> None:
    today = date(2017, month, 15)
    every = [a_day * monthrange(2017, number)[1] for number in range(1, 13)]
    for last in (None, person(reduced=[0] + [5] * 11)):  # one month without a purchase is no year to go by
        year = projected_year(person(reduced=so_far(every, today)), last, RULES, today=today)
        assert year is not None
        assert year.spend["reduced"] == every


@given(bought, days.filter(lambda day: day.month > 1))
def test_twice_as_much_as_last_year_so_far_is_twice_as_much_to_come(months: list[int], today: date) -> None:
    twice = person(reduced=so_far([2 * amount for amount in months], today))
    year = projected_year(twice, person(reduced=months), RULES, today=today)
    assert year is not None
    assert year.spend["reduced"] == [2 * amount for amount in months]


@pytest.mark.parametrize("today", [date(2017, 1, 31), date(2018, 5, 1), date(2016, 5, 1)])
def test_nothing_is_said_of_another_year_or_in_january(today: date) -> None:
    assert projected_refund(person(reduced=[1000] * 12), None, RULES, today=today) is None


def test_the_limit_of_the_year_holds_for_what_is_expected() -> None:
    now = person(reduced=[50_000] * 6 + [0] * 6)
    assert projected_refund(now, None, RULES, today=date(2017, 7, 1)) == 4_000


def test_nothing_is_expected_of_goods_that_have_no_rate_any_more() -> None:
    last = person(reduced=[1000] * 12, gone=[1000] * 12)
    year = projected_year(person(reduced=so_far([1000] * 12, date(2017, 7, 1))), last, RULES, today=date(2017, 7, 1))
    assert year is not None
    assert set(year.spend["gone"]) == {0}


def test_purchases_taken_one_by_one_go_on_too() -> None:
    scheme = read_scheme_file(SHIPPED / "it-2021.yaml")
    rules, today = rules_of(scheme, 2021), date(2021, 7, 1)
    tier = scheme.tiers[0].code
    half = {tier: [100_00] * 6 + [0] * 6}
    bases = {tier: [10_00] * 6 + [0] * 6}
    year = projected_year(Person(REF, half, bases, [10] * 6 + [0] * 6), None, rules, today=today)
    assert year is not None
    assert all(year.bases[tier])
    assert all(year.purchases)


@given(st.integers(0, 10**15))
def test_about_keeps_three_figures_and_never_says_more(amount: int) -> None:
    rounded = about(amount)
    assert rounded <= amount < rounded + max(rounded // 100, 1)
    assert len(str(rounded).rstrip("0")) <= 3

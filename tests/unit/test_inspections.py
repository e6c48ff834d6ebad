"""Rows of returns, what they are compared with, scores of merchants, and Benford's law."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.console.charts import column_chart
from apps.inspections.completeness import Counted, score_permille, shares
from apps.inspections.declared import (
    Compared,
    Return,
    RowDefect,
    TierTax,
    compare,
    corporate_check_digit,
    looks_mistyped,
    months_of,
    rate_columns,
    read_return,
)
from apps.inspections.digits import digit_test, share_of

ROW = {"registration_number": "T7000012050002", "from": "2017-01-01", "to": "2017-03-31", "sales_at_8": "1,000"}
RATES = {"sales_at_8": "8"}


def test_the_check_digit_of_a_corporate_number_is_that_of_the_ordinance() -> None:
    # the National Tax Agency's own corporate number: 7000012050002
    assert corporate_check_digit("000012050002") == 7
    assert not looks_mistyped("T7000012050002")
    assert looks_mistyped("T7000012050003")


@given(st.text("0123456789", min_size=12, max_size=12), st.integers(0, 11), st.integers(1, 8))
def test_one_mistyped_digit_shows_unless_0_and_9_are_confused(digits: str, place: int, by: int) -> None:
    other = digits[:place] + str((int(digits[place]) + by) % 10) + digits[place + 1 :]
    if {digits[place], other[place]} != {"0", "9"}:
        assert corporate_check_digit(digits) != corporate_check_digit(other)


def test_a_row_is_a_return() -> None:
    found = read_return(ROW, RATES)
    assert found == Return("T7000012050002", date(2017, 1, 1), date(2017, 3, 31), {"8": 1000})
    assert read_return(ROW | {"sales_at_8": ""}, RATES) == Return(
        "T7000012050002", date(2017, 1, 1), date(2017, 3, 31), {"8": 0}
    )


@pytest.mark.parametrize(
    ("change", "code", "column"),
    [
        ({"registration_number": "7000012050002"}, "number_malformed", "registration_number"),
        ({"from": "2017/01/01"}, "date_unreadable", "from"),
        ({"to": "2017-02-30"}, "date_unreadable", "to"),
        ({"to": "2016-12-31"}, "dates_reversed", "to"),
        ({"to": "2018-01-01"}, "period_too_long", "to"),
        ({"sales_at_8": "1.5"}, "amount_unreadable", "sales_at_8"),
        ({"sales_at_8": "１０"}, "amount_unreadable", "sales_at_8"),
    ],
)
def test_a_bad_row_says_where_and_why(change: dict[str, str], code: str, column: str) -> None:
    assert read_return(ROW | change, RATES) == RowDefect(code, column)


def test_columns_of_sales_name_their_rates() -> None:
    assert rate_columns(["from", "sales_at_8", "sales_at_10", "sales_at_7.80", "sales_at_x"]) == {
        "sales_at_8": "8", "sales_at_10": "10", "sales_at_7.80": "7.8",
    }  # fmt: skip


def test_months_go_over_the_turn_of_the_year() -> None:
    assert months_of(date(2017, 11, 15), date(2018, 2, 1)) == [(2017, 11), (2017, 12), (2018, 1), (2018, 2)]


FOOD, REST = TierTax(Decimal("0.10"), Decimal("0.08")), TierTax(Decimal("0.10"), Decimal("0.10"))


def test_tiers_are_compared_by_their_rate_without_the_tax_that_was_paid() -> None:
    reported = {("reduced", FOOD): 1100, ("standard", REST): 2201}
    assert compare({"8": 900, "10": 2000}, reported) == [Compared("8", 900, 1000), Compared("10", 2000, 2000)]
    assert Compared("8", 900, 1000).difference_permille == 111
    assert Compared("8", 0, 1000).difference_permille is None


def test_who_declares_all_at_the_one_rate_is_compared_as_a_whole() -> None:
    reported = {("reduced", FOOD): 1100, ("standard", REST): 2200}
    assert compare({"10": 2500}, reported) == [Compared("10", 2500, 3000)]


def test_a_rate_that_was_not_declared_at_all_is_compared_with_nothing() -> None:
    assert compare({"8": 0}, {("standard", REST): 1100}) == [Compared("8", 0, 0), Compared("10", 0, 1000)]


def test_the_score_is_the_lowest_of_three_shares() -> None:
    counted = Counted(
        records=990, numbers_missing=10, late=99, closings_agree=28, closings_differ=1, closings_open=5,
        closings_missing=1,
    )  # fmt: skip
    assert [share.permille for share in shares(counted)] == [990, 900, 933]
    assert score_permille(counted) == 900
    assert score_permille(Counted(0, 0, 0, 0, 0, 0, 0)) == 1000


@given(st.lists(st.integers(0, 10**6), min_size=7, max_size=7))
def test_a_score_is_full_only_if_nothing_is_amiss(counts: list[int]) -> None:
    counted = Counted(*counts)._replace(late=min(counts[2], counts[0]))
    amiss = counted.numbers_missing or counted.late or counted.closings_differ or counted.closings_missing
    assert (score_permille(counted) == 1000) == (not amiss)


def test_shares_of_first_digits_are_those_of_the_law() -> None:
    assert round(share_of(1), 5) == Decimal("0.30103")
    assert round(share_of(9), 5) == Decimal("0.04576")
    assert sum(share_of(digits) for digits in range(10, 100)) == pytest.approx(Decimal(1), abs=Decimal("1e-20"))


def test_amounts_that_follow_the_law_conform_and_prices_of_one_kind_do_not() -> None:
    powers = [int(str(2**exponent)[0]) for exponent in range(1, 2000)]
    found = digit_test({digit: powers.count(digit) for digit in range(1, 10)}, 1)
    assert found is not None
    assert (found.conformity, found.chi_square < found.critical) == ("close", True)
    capped = digit_test({9: 500, 1: 20}, 1)
    assert capped is not None
    assert (capped.conformity, capped.chi_square > capped.critical) == ("none", True)
    assert digit_test({}, 2) is None


def test_the_mean_deviation_and_chi_square_are_worked_out_by_hand() -> None:
    found = digit_test({1: 10}, 1)
    assert found is not None
    # all ten begin with 1: 2 x (1 - 0.30103) / 9, and 10 / 0.30103 - 10
    assert found.mean_deviation == Decimal("0.15533")
    assert found.chi_square == Decimal("23.22")


def test_columns_stand_on_one_floor_and_the_highest_of_all_fills_the_chart() -> None:
    chart = column_chart([(1, 50), (2, 0), (3, 25)], [100, 50, 0])
    assert [(column.y + column.height, column.height) for column in chart.columns] == [(160, 80), (160, 0), (160, 40)]
    assert [int(point.split(",")[1]) for point in chart.points.split()] == [0, 80, 160]
    assert all(column.x >= 0 and column.x + chart.column_width <= chart.width for column in chart.columns)
    assert column_chart([]).columns == ()
    assert all(column.height == 0 for column in column_chart([(1, 0)]).columns)

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from apps.kernel.rounding import floor_to_minor_unit, refund_fraction_jp

amounts = st.fractions(min_value=0, max_value=10**12, max_denominator=10**6)


@given(amounts)
def test_a_refund_is_never_more_than_its_exact_amount_except_for_the_first_yen(exact: Fraction) -> None:
    rounded = refund_fraction_jp(exact)
    assert rounded == 1 if 0 < exact < 1 else exact - 1 < rounded <= exact


@given(amounts)
def test_the_two_rules_differ_only_between_0_and_1(exact: Fraction) -> None:
    same = refund_fraction_jp(exact) == floor_to_minor_unit(exact)
    assert same is not (0 < exact < 1)


@given(st.lists(amounts, max_size=5))
def test_a_floor_of_the_sum_is_never_below_the_sum_of_floors(parts: list[Fraction]) -> None:
    assert floor_to_minor_unit(sum(parts, Fraction(0))) >= sum(map(floor_to_minor_unit, parts))

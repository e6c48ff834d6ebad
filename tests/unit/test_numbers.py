"""Individual numbers have a right check digit, however they are typed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.residents.numbers import check_digit, is_individual_number, is_resident_code, plain_digits

ELEVEN = st.integers(0, 10**11 - 1).map("{:011}".format)


@pytest.mark.parametrize(("digits", "last"), [("98320567321", 4), ("12345678901", 8), ("00000000000", 0)])
def test_the_check_digit_is_that_of_the_ordinance(digits: str, last: int) -> None:
    assert check_digit(digits) == last


@given(ELEVEN)
def test_the_check_digit_is_the_formula_of_the_ordinance(digits: str) -> None:
    total = sum(int(digits[11 - n]) * (n + 1 if n <= 6 else n - 5) for n in range(1, 12))
    assert check_digit(digits) == (0 if total % 11 <= 1 else 11 - total % 11)


@given(ELEVEN, st.integers(0, 11), st.integers(1, 9))
def test_a_mistyped_digit_is_found_unless_the_ordinance_gives_both_the_same_check_digit(
    digits: str, place: int, by: int
) -> None:
    number = f"{digits}{check_digit(digits)}"
    assert is_individual_number(number)
    mistyped = f"{number[:place]}{(int(number[place]) + by) % 10}{number[place + 1 :]}"
    assert is_individual_number(mistyped) == (check_digit(mistyped[:11]) == int(mistyped[11]))


@pytest.mark.parametrize(
    "typed",
    [
        "９８３２０５６７３２１４",
        "9832-0567-3214",
        " 9832 0567 3214 ",
        "９８３２－０５６７－３２１４",
        "9832‐0567−3214",
    ],
)
def test_full_width_digits_spaces_and_hyphens_are_read(typed: str) -> None:
    assert plain_digits(typed) == "983205673214"


@pytest.mark.parametrize("text", ["98320567321", "9832056732145", "98320567321x", "", "٩٨٣٢٠٥٦٧٣٢١٤"])
def test_anything_but_twelve_digits_is_no_individual_number(text: str) -> None:
    assert not is_individual_number(text)


def test_a_resident_code_has_eleven_digits() -> None:
    assert is_resident_code("12345678901")
    assert not is_resident_code("123456789012")
    assert not is_resident_code("1234567890x")

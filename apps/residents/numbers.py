"""Individual numbers and resident codes: their form, as people type them and as they are kept. Pure."""

import re
import unicodedata
from operator import mul
from typing import Final

INDIVIDUAL_NUMBER: Final = re.compile(r"[0-9]{12}")
RESIDENT_CODE: Final = re.compile(r"[0-9]{11}")
WEIGHTS: Final = (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)  # from the highest of the 11 digits: n + 1 up to the 6th, then n - 5
# ASCII's hyphen, those of Unicode, the minus sign and the marks that Japanese keyboards give in its place.
SPACING: Final = str.maketrans("", "", " \t\u3000-‐‑‒–—―−ー－ｰ")


def check_digit(digits: str) -> int:
    """The last digit of the individual number whose first 11 are `digits`.

    11 - (sum of P(n) x Q(n) mod 11), or 0 where the remainder is 0 or 1; n counts from the lowest digit, Q(n) is n + 1
    up to 6 and n - 5 above. Source: 行政手続番号法施行省令 (平成26年総務省令第85号) 5条.
    """
    remainder = sum(map(mul, map(int, digits), WEIGHTS)) % 11
    return 0 if remainder <= 1 else 11 - remainder


def plain_digits(text: str) -> str:
    """A number as it is kept: full-width digits as ASCII, without spaces and hyphens. What else is in it stays."""
    return text if text.isdecimal() and text.isascii() else unicodedata.normalize("NFKC", text).translate(SPACING)


def is_individual_number(digits: str) -> bool:
    """Whether these are 12 digits, the last being the check digit."""
    return bool(INDIVIDUAL_NUMBER.fullmatch(digits)) and check_digit(digits[:11]) == int(digits[11])


def is_resident_code(digits: str) -> bool:
    """Whether these are the 11 digits of a resident code (住民票コード). How its last digit is made is not used."""
    return bool(RESIDENT_CODE.fullmatch(digits))

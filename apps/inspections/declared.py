"""Rows of a file of consumption-tax returns, and what they say beside what tills reported. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Final, NamedTuple

NUMBER: Final = re.compile(r"T[0-9]{13}")
DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
YEN: Final = re.compile(r"-?[0-9]{1,15}")
SALES: Final = re.compile(r"sales_at_([0-9]{1,2}(?:\.[0-9]{1,2})?)")
REQUIRED: Final = ("registration_number", "from", "to")


class RowDefect(NamedTuple):
    """Why a row is not taken: the column and a code of `console.declaration_words`."""

    code: str
    column: str


@dataclass(frozen=True, slots=True)
class Return:
    """One merchant's return of a period: taxable sales without tax, yen, by rate in percent ("8", "10")."""

    registration_number: str
    from_date: date
    to_date: date
    sales: dict[str, int]


def corporate_check_digit(digits: str) -> int:
    """The first digit of a corporate number whose other 12 are `digits`.

    9 - (sum of P(n) x Q(n) mod 9); n counts from the lowest digit, Q(n) is 1 where n is odd and 2 where it is even.
    Source: 法人番号の指定等に関する省令 (平成26年財務省令第70号) 2条. Sole proprietors' registration numbers are no
    corporate numbers, and no rule of theirs is published: so a wrong digit alone refuses no number.
    """
    return 9 - sum(int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))) % 9


def looks_mistyped(registration_number: str) -> bool:
    """Whether a number of the right form has not the check digit of a corporation's."""
    return int(registration_number[1]) != corporate_check_digit(registration_number[2:])


def rate_columns(columns: list[str]) -> dict[str, str]:
    """The columns of sales with their rates in percent: `sales_at_8` has those at 8 %."""
    return {column: f"{Decimal(found[1]).normalize():f}" for column in columns if (found := SALES.fullmatch(column))}


def read_return(fields: Mapping[str, str], rates: Mapping[str, str]) -> Return | RowDefect:
    """One row. An empty amount is 0; a negative one is possible where more was taken back than sold."""
    number = fields["registration_number"].strip().upper()
    if not NUMBER.fullmatch(number):
        return RowDefect("number_malformed", "registration_number")
    days = [_day(fields[column].strip()) for column in ("from", "to")]
    for column, day in zip(("from", "to"), days, strict=True):
        if day is None:
            return RowDefect("date_unreadable", column)
    first, last = (day for day in days if day)
    if first > last:
        return RowDefect("dates_reversed", "to")
    if (last.year - first.year) * 12 + last.month - first.month > 11:
        return RowDefect("period_too_long", "to")
    sales = {}
    for column, rate in rates.items():
        text = fields[column].strip().replace(",", "")
        if text and not YEN.fullmatch(text):
            return RowDefect("amount_unreadable", column)
        sales[rate] = int(text or 0)
    return Return(number, first, last, sales)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if DAY.fullmatch(text) else None
    except ValueError:
        return None


def months_of(first: date, last: date) -> list[tuple[int, int]]:
    """The months that a period touches, as (year, month)."""
    start, end = first.year * 12 + first.month - 1, last.year * 12 + last.month
    return [(month // 12, month % 12 + 1) for month in range(start, end)]


class TierTax(NamedTuple):
    """At which rate everyone pays for a tier at the till, and its legal rate: shares of the price without tax."""

    collected: Decimal
    rate: Decimal


class Compared(NamedTuple):
    """Declared and reported sales of a rate, yen without tax. `difference_yen` above 0: more reported than declared."""

    rate: str
    declared_yen: int
    reported_yen: int

    @property
    def difference_yen(self) -> int:
        """What was reported beyond what was declared."""
        return self.reported_yen - self.declared_yen

    @property
    def difference_permille(self) -> int | None:
        """The same in thousandths of what was declared, towards 0; None where nothing was."""
        if self.declared_yen <= 0:
            return None
        return int(Fraction(self.difference_yen * 1000, self.declared_yen))


def percent(rate: Decimal) -> str:
    """A rate as returns write it: 0.08 is "8"."""
    return f"{(rate * 100).normalize():f}"


def compare(declared: Mapping[str, int], reported: Mapping[tuple[str, TierTax], int]) -> list[Compared]:
    """Each rate's sales. `reported` has amounts with tax, by tier and how that was taxed, minor units of yen.

    A tier counts under its legal rate if the return has a column of that, otherwise under the rate paid at the till:
    a shop that declares all at the one rate is compared as a whole. The tax goes out of the sum, rounded down.
    """
    net: dict[str, Fraction] = {rate: Fraction(0) for rate in declared}
    for (_, tax), amount in reported.items():
        rate = percent(tax.rate) if percent(tax.rate) in declared else percent(tax.collected)
        net[rate] = net.get(rate, Fraction(0)) + amount / (1 + Fraction(tax.collected))
    return [Compared(rate, declared.get(rate, 0), int(found // 1)) for rate, found in net.items()]

"""Benford's law: which first digits amounts have that came about by themselves, and how far others are off. Pure."""

from collections.abc import Mapping
from decimal import Decimal, localcontext
from typing import Final, Literal, NamedTuple

Places = Literal[1, 2]
FIRST: Final[dict[int, range]] = {1: range(1, 10), 2: range(10, 100)}
# Chi-square that 5 % of samples exceed, for 8 and 89 degrees of freedom.
CRITICAL: Final = {1: Decimal("15.507"), 2: Decimal("112.022")}
# Mean absolute deviation up to which amounts conform closely, acceptably, marginally. Source: Nigrini, Benford's Law
# (Wiley 2012), table 7.1.
RANGES: Final = {
    1: (Decimal("0.006"), Decimal("0.012"), Decimal("0.015")),
    2: (Decimal("0.0012"), Decimal("0.0018"), Decimal("0.0022")),
}
VERDICTS: Final = ("close", "acceptable", "marginal", "none")


class DigitRow(NamedTuple):
    """How many amounts begin with `digits`, and how many are expected to (a tenth of one exactly)."""

    digits: int
    amounts: int
    expected: Decimal


class DigitTest(NamedTuple):
    """The amounts' first digits against the law. `conformity` is one of VERDICTS, by the mean absolute deviation."""

    rows: tuple[DigitRow, ...]
    amounts: int
    chi_square: Decimal
    critical: Decimal
    mean_deviation: Decimal
    conformity: str


def share_of(digits: int) -> Decimal:
    """The share of amounts that begin with these digits: log10(1 + 1/d)."""
    with localcontext() as context:
        context.prec = 40
        return (1 + Decimal(1) / digits).log10()


def digit_test(counts: Mapping[int, int], places: Places) -> DigitTest | None:
    """The test of `counts`, amounts by their first digit or first two. None where there is no amount."""
    total = sum(counts.get(digits, 0) for digits in FIRST[places])
    if total == 0:
        return None
    rows, chi_square, deviation = [], Decimal(0), Decimal(0)
    for digits in FIRST[places]:
        count, share = counts.get(digits, 0), share_of(digits)
        expected = share * total
        rows.append(DigitRow(digits, count, expected.quantize(Decimal("0.1"))))
        chi_square += (count - expected) ** 2 / expected
        deviation += abs(Decimal(count) / total - share)
    mean = (deviation / len(FIRST[places])).quantize(Decimal("0.00001"))
    return DigitTest(
        tuple(rows), total, chi_square.quantize(Decimal("0.01")), CRITICAL[places], mean, _conformity(mean, places)
    )


def _conformity(mean: Decimal, places: Places) -> str:
    return next((verdict for verdict, most in zip(VERDICTS, RANGES[places], strict=False) if mean <= most), "none")

"""Tiers, what a purchase is expected to give back, and money as people read it."""

import json
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kanpu_pos.shape import UnexpectedAnswerError
from kanpu_pos.tiers import Tiers, expected_refund_minor, money_text, tax_year

ANSWER: dict[str, Any] = {
    "on": "2017-04-03",
    "scheme": "jp-2015",
    "currency": "JPY",
    "minor_unit_digits": 0,
    "collected": "0.10",
    "tiers": [
        {"code": "reduced", "rate": "0.08", "name": {"ja": "飲食料品", "en": "Food and drink"}},
        {"code": "standard", "rate": "0.10", "name": {"ja": "標準", "en": "Standard"}},
        {"code": "exempt", "rate": "0", "name": {"ja": "非課税", "en": "Exempt"}},
    ],
}


def tiers(**changes: Any) -> Tiers:
    return Tiers.from_json(json.dumps({**ANSWER, **changes}).encode())


@pytest.mark.parametrize(
    ("lines", "refund_minor"),
    [
        ((("reduced", 1100),), 20),
        ((("reduced", 1099),), 19),
        ((("standard", 10**12),), 0),
        ((("reduced", 1000), ("standard", 500)), 18),
        ((("reduced", 30), ("exempt", 5)), 1),  # 0.54 and 0.45: less than 1 each, 1 together
        ((("reduced", 1000), ("unheard_of", 1)), None),
    ],
)
def test_the_expected_refund(lines: tuple[tuple[str, int], ...], refund_minor: int | None) -> None:
    assert expected_refund_minor(lines, tiers()) == refund_minor


@given(st.integers(1, 10**12), st.integers(1, 10**12))
def test_the_expected_refund_is_the_difference_of_the_taxes_rounded_down(reduced: int, exempt: int) -> None:
    exact = Fraction(reduced * 2 + exempt * 10, 110)
    found = expected_refund_minor((("reduced", reduced), ("exempt", exempt)), tiers())
    assert found is not None
    assert found <= exact < found + 1


@pytest.mark.parametrize(
    ("moment", "zone", "year"),
    [
        (datetime(2017, 12, 31, 14, 59, 59, tzinfo=UTC), "Asia/Tokyo", 2017),
        (datetime(2017, 12, 31, 15, 0, tzinfo=UTC), "Asia/Tokyo", 2018),
        (datetime(2017, 12, 31, 15, 0, tzinfo=UTC), "UTC", 2017),
        (datetime(2018, 1, 1, 4, 59, tzinfo=UTC), "America/New_York", 2017),
    ],
)
def test_the_tax_year_is_that_of_the_schemes_time_zone(moment: datetime, zone: str, year: int) -> None:
    assert tax_year(moment, ZoneInfo(zone)) == year


def test_the_time_zone_is_the_answers_or_tokyo() -> None:
    assert tiers().zone == ZoneInfo("Asia/Tokyo")
    assert tiers(time_zone="Europe/Vienna").zone == ZoneInfo("Europe/Vienna")


@pytest.mark.parametrize(
    ("amount_minor", "currency", "digits", "text"),
    [
        (1080, "JPY", 0, "¥1,080"),
        (-1080, "JPY", 0, "-¥1,080"),
        (1080, "EUR", 2, "EUR 10.80"),
        (5, "EUR", 2, "EUR 0.05"),
        (-123456789, "KWD", 3, "-KWD 123,456.789"),
    ],
)
def test_money_for_people(amount_minor: int, currency: str, digits: int, text: str) -> None:
    assert money_text(amount_minor, tiers(currency=currency, minor_unit_digits=digits)) == text


@pytest.mark.parametrize(
    "change",
    [
        {"on": "yesterday"},
        {"collected": 0.1},
        {"collected": "a tenth"},
        {"collected": "1/0"},
        {"minor_unit_digits": -1},
        {"time_zone": "Mars/Olympus"},
        {"tiers": {}},
        {"tiers": [{"code": "reduced", "rate": 0.08, "name": {}}]},
    ],
    ids=str,
)
def test_an_answer_that_is_not_tiers_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(UnexpectedAnswerError):
        tiers(**change)

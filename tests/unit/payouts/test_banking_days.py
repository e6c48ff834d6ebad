"""Banks transfer on banking days, and a file that comes after the cut-off counts as the next day's."""

from datetime import date, datetime, time

import pytest

from apps.payouts.banking_days import banking_days_after, earliest_transfer, is_banking_day

CUTOFF = time(15)


@pytest.mark.parametrize(
    "closed",
    [
        "2026-12-31", "2027-01-01", "2026-01-02", "2027-01-03", "2025-12-31",  # the turn of the year
        "2026-11-28", "2026-11-29",  # a weekend
        "2026-11-23", "2026-05-06", "2025-11-24", "2027-03-22", "2026-09-22",  # holidays, substitutes, between two
        "2026-03-20", "2027-03-21",  # the equinox is reckoned
    ],
)  # fmt: skip
def test_banks_are_closed(closed: str) -> None:
    assert not is_banking_day(date.fromisoformat(closed))


@pytest.mark.parametrize("day", ["2026-12-30", "2027-01-04", "2026-11-26", "2026-05-07", "2026-08-12"])
def test_banks_are_open(day: str) -> None:
    assert is_banking_day(date.fromisoformat(day))


@pytest.mark.parametrize(
    ("at", "lead_days", "day"),
    [
        ("2026-11-26T14:59", 0, "2026-11-26"), ("2026-11-26T15:00", 0, "2026-11-27"),
        ("2026-11-26T14:59", 1, "2026-11-27"), ("2026-11-26T15:00", 1, "2026-11-30"),
        ("2026-11-28T09:00", 1, "2026-12-01"), ("2026-11-28T16:00", 1, "2026-12-01"),
        ("2026-12-30T16:00", 0, "2027-01-04"), ("2026-12-30T10:00", 1, "2027-01-04"),
        ("2026-12-31T10:00", 2, "2027-01-06"), ("2026-05-01T16:00", 0, "2026-05-07"),
    ],
)  # fmt: skip
def test_the_first_day_that_a_file_can_be_paid(at: str, lead_days: int, day: str) -> None:
    found = earliest_transfer(datetime.fromisoformat(at), cutoff=CUTOFF, lead_days=lead_days)
    assert found == date.fromisoformat(day)


def test_banking_days_are_counted_over_the_year() -> None:
    assert banking_days_after(date(2026, 12, 30), 2) == date(2027, 1, 5)

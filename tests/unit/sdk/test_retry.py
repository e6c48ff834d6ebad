"""How long a till waits before it sends again."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kanpu_pos.retry import Clock, ceiling_s, retry_after_s, wait_s

NOW = datetime(2017, 4, 3, 0, 30, tzinfo=UTC)


def test_the_ceiling_doubles_up_to_half_a_minute() -> None:
    assert [ceiling_s(attempts) for attempts in range(1, 9)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert ceiling_s(10**6) == 30


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("0", 0),
        ("7", 7),
        (" 7 ", 7),
        ("Mon, 03 Apr 2017 00:31:30 GMT", 90),
        ("Mon, 03 Apr 2017 00:29:00 GMT", 0),
        ("Mon, 03 Apr 2017 09:31:30 -0000", 9 * 3600 + 90),
        ("Mon, 03 Apr 2017 09:31:30 +0900", 90),
        ("-3", 0),
        ("soon", 0),
        ("", 0),
        ("1.5", 0),
        ("9" * 5000, 0),
        ("٣", 0),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date(header: str | None, seconds: float) -> None:
    assert retry_after_s(header, now=NOW) == seconds


@given(attempts=st.integers(1, 50), chance=st.floats(0, 1), asked=st.sampled_from([None, "5"]))
def test_the_wait_is_what_was_asked_for_and_a_full_jitter(attempts: int, chance: float, asked: str | None) -> None:
    clock = Clock(now=lambda: NOW, uniform=lambda low, high: low + chance * (high - low))
    expected = (5 if asked else 0) + chance * ceiling_s(attempts)
    assert wait_s(attempts, retry_after=asked, clock=clock) == pytest.approx(expected)

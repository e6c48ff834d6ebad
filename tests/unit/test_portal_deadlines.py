"""Which day a resident is told of next; amounts and codes as people type them; last year in the chart."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.accruals.claims import ALPHABET, ClaimCodeInvalid, claim_of
from apps.portal.amounts import amount_minor_of
from apps.portal.charts import BAR, BELOW, LABELS, ROW, month_chart
from apps.portal.deadlines import Deadline, DeadlineKind, next_deadline
from apps.refunds.deadlines import months_after

TODAY = date(2018, 3, 1)
deadlines = st.lists(
    st.builds(Deadline, st.sampled_from(DeadlineKind), st.dates(date(2017, 1, 1), date(2020, 12, 31))), max_size=8
)


@given(deadlines, st.dates(date(2017, 1, 1), date(2020, 12, 31)))
def test_the_nearest_day_that_is_not_over_is_told_and_none_that_is_far_off(found: list[Deadline], today: date) -> None:
    told = next_deadline(found, today)
    near = [one for one in found if today <= one.last_day <= months_after(today, 12)]
    assert (told is None) == (not near)
    if told:
        assert told.last_day == min(one.last_day for one in near)


def test_on_its_last_day_it_is_still_told_and_not_on_the_next() -> None:
    deadline = Deadline(DeadlineKind.FILING, TODAY)
    assert next_deadline([deadline], TODAY) == deadline
    assert next_deadline([deadline], TODAY + timedelta(days=1)) is None


def test_of_two_on_one_day_the_one_that_costs_money_is_told() -> None:
    found = [Deadline(kind, TODAY) for kind in (DeadlineKind.FILING, DeadlineKind.APPEAL, DeadlineKind.LAPSE)]
    told = next_deadline(found, TODAY)
    assert told is not None
    assert told.kind == DeadlineKind.LAPSE


@pytest.mark.parametrize(
    ("text", "digits", "minor"),
    [
        ("1000", 0, 1000), ("1,000", 0, 1000), ("¥1,000", 0, 1000), ("１，０００円", 0, 1000), (" 1000 円 ", 0, 1000),
        ("12.5", 2, 1250), ("12.50", 2, 1250), ("12", 2, 1200), ("12.5", 0, None), ("-1", 0, None), ("", 0, None),
        ("x", 0, None), ("1" * 14, 0, None), ("1.", 2, None),
    ],
)  # fmt: skip
def test_amounts_are_read_as_people_type_them(text: str, digits: int, minor: int | None) -> None:
    assert amount_minor_of(text, digits) == minor


@given(st.text(ALPHABET, min_size=25, max_size=25), st.sampled_from("01234567"), st.sampled_from("-‐–—−－ー　 "))
def test_a_receipts_code_is_read_in_any_width_case_and_grouping(rest: str, first: str, dash: str) -> None:
    code = first + rest
    wide = "".join(chr(ord(character) + 0xFEE0) for character in code)
    expected = claim_of(code)
    for typed in (code.lower(), wide, wide.lower(), dash.join((code[:5], code[5:10], code[10:])), f" {code} "):
        assert claim_of(typed) == expected


@pytest.mark.parametrize("typed", ["", "7" * 25, "8" + "0" * 25, "7" * 25 + "U", "７" * 27, "é" * 26])
def test_what_no_receipt_shows_is_no_code(typed: str) -> None:
    with pytest.raises(ClaimCodeInvalid):
        claim_of(typed)


def test_last_years_months_are_drawn_below_this_years_on_the_same_scale() -> None:
    chart = month_chart([(100, 50), (0, 0)], [300, 75])
    assert [bar.last and (bar.last.x, bar.last.width, bar.last.amount_minor) for bar in chart.bars] == [
        (LABELS, 232, 300), (LABELS, 58, 75),
    ]  # fmt: skip
    assert [part.width for part in chart.bars[0].segments] == [77, 39]
    assert chart.bars[0].last
    assert chart.bars[0].last.y > chart.bars[0].y + BAR
    assert chart.bars[0].last.y + BELOW < chart.bars[1].y
    assert chart.last_path == "M44 24h232v4h-232zM44 56h58v4h-58z"
    assert chart.height == 2 * (ROW + BELOW)


def test_without_a_last_year_nothing_is_drawn_of_it() -> None:
    chart = month_chart([(100,), (0,)])
    assert [bar.last for bar in chart.bars] == [None, None]
    assert chart.height == 2 * ROW

"""A terminal's own totals: sales less its own returns, voids and corrections, whatever became of the records."""

from collections import defaultdict
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from apps.purchases.closings import Books, differences, targets

DAY = "2017-08-03T09:30:00+09:00"
NEXT_YEAR = "2018-01-01T00:30:00+09:00"


def line(seq: int, kind: str, rest: str = "", *, of: str = "-", at: str = DAY) -> str:
    return f"{seq}\n{at}\n{kind}\n-\n{of}\n{rest}"


def books(*lines: str | None, year: int = 2017, counted_from: int = 1, totals: dict[str, int] | None = None) -> Books:
    kept = Books("t", year, ZoneInfo("Asia/Tokyo"), counted_from, totals or {})
    for seq, text in enumerate(lines, start=1):
        kept.take(int(text.split("\n")[0]) if text else seq, text)
    return kept


def totals(*lines: str | None, year: int = 2017) -> dict[str, int]:
    return {tier: amount for tier, amount in books(*lines, year=year).totals.items() if amount}


def test_sales_less_own_returns_voids_and_corrections() -> None:
    sale = line(1, "sale", "a=100,b=50")
    assert totals(sale) == {"a": 100, "b": 50}
    assert totals(sale, line(2, "return", "a=30", of="t:1")) == {"a": 70, "b": 50}
    assert totals(sale, line(2, "correction", "a=10", of="t:1")) == {"a": 10}


def test_a_void_takes_only_what_is_left() -> None:
    sale, back = line(1, "sale", "a=100"), line(2, "return", "a=30", of="t:1")
    assert totals(sale, back, line(3, "void", of="t:1")) == {}
    assert totals(sale, back, line(3, "void", of="t:2")) == {"a": 100}
    assert totals(sale, back, line(3, "void", of="t:2"), line(4, "void", of="t:1")) == {}
    assert totals(sale, line(2, "void", of="t:1"), line(3, "void", of="t:1")) == {}


def test_returns_of_another_terminals_sales_count_here() -> None:
    assert totals(line(1, "return", "a=30", of="other:7")) == {"a": -30}


def test_a_corrected_return() -> None:
    sale, back = line(1, "sale", "a=100"), line(2, "return", "a=30", of="t:1")
    corrected = line(3, "correction", "a=50", of="t:2")
    assert totals(sale, back, corrected) == {"a": 50}
    assert totals(sale, back, corrected, line(4, "void", of="t:1")) == {}


def test_each_record_changes_the_year_of_its_own_time() -> None:
    sale, back = line(1, "sale", "a=100"), line(2, "return", "a=30", of="t:1", at=NEXT_YEAR)
    assert totals(sale, back) == {"a": 100}
    assert totals(sale, back, year=2018) == {"a": -30}


def test_unused_numbers_and_earlier_closings_change_nothing() -> None:
    assert totals(line(1, "unused"), line(2, "closing", "2017:a=5")) == {}


def test_an_unreadable_record_keeps_totals_from_being_compared_until_it_is_mended() -> None:
    assert books(None, line(2, "sale", "a=1")).unknown == {1}
    mended = books(None, line(2, "correction", "a=7", of="t:1"))
    assert (mended.unknown, mended.totals) == (set(), {"a": 7})
    assert books(line(1, "sale", "a=7", at="some day"), line(2, "void", of="t:1")).unknown == set()


def test_differences_leave_out_tiers_that_agree_and_tiers_at_nothing() -> None:
    assert differences({"a": 1, "b": 0}, {"a": 1}) == []
    assert differences({"a": 1}, {"a": 2, "c": 3}) == [("a", 1, 2), ("c", 0, 3)]


def test_targets_are_the_terminals_own_records() -> None:
    assert targets([line(5, "return", "a=1", of="t:2"), line(6, "return", "a=1", of="u:3"), line(7, "sale")], "t") == {
        2
    }


@st.composite
def days(draw: st.DrawFn) -> list[str]:
    """A terminal's records of a few days."""
    lines: list[str] = []
    for seq in range(1, draw(st.integers(1, 14))):
        of = draw(st.integers(1, seq - 1)) if seq > 1 else 0
        kind = draw(st.sampled_from(["sale", "sale", "return", "void", "correction"])) if of else "sale"
        rest = "" if kind == "void" else f"a={draw(st.integers(1, 9))}"
        lines.append(
            line(seq, kind, rest, of=f"t:{of}" if kind != "sale" else "-", at=draw(st.sampled_from([DAY, NEXT_YEAR])))
        )
    return lines


@given(days(), st.data())
def test_going_on_from_an_earlier_closing_gives_the_same_as_starting_anew(
    lines: list[str], data: st.DataObject
) -> None:
    first = data.draw(st.integers(1, len(lines) + 1))
    before = books(*lines[: first - 1]).totals
    assert books(*lines, counted_from=first, totals=dict(before)).totals == defaultdict(int, books(*lines).totals)

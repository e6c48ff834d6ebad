"""The geometry of the year's chart: a stacked bar a month, in whole SVG units. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 360
ROW: Final = 28
BAR: Final = 18
BELOW: Final = 4  # a month's bar is followed by last year's thin one
LABELS: Final = 44  # left of the bars
AMOUNTS: Final = 84  # right of the longest bar: room for 1,000,000円
PATTERNS: Final = 6


@dataclass(frozen=True, slots=True)
class Segment:
    """One tier's part of a bar; `pattern` (1 to 6) says how it is filled."""

    series: int
    pattern: int
    x: int
    width: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Bar:
    """One month's bar; its total is written at `total_x`, both texts on `text_y`; `last` is the year before's."""

    month: int
    y: int
    height: int
    text_y: int
    total_x: int
    total_minor: int
    segments: tuple[Segment, ...]
    last: "LastYear | None"


@dataclass(frozen=True, slots=True)
class LastYear:
    """A thin bar below a month's, for the same month of last year."""

    x: int
    y: int
    width: int
    height: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Chart:
    """All bars, and the size of the drawing.

    `paths` draws each tier's segments at once, by the filling; `last_path` last year's bars, '' without any.
    """

    width: int
    height: int
    bars: tuple[Bar, ...]
    paths: tuple[tuple[int, str], ...]
    last_path: str


def month_chart(months: Sequence[Sequence[int]], last: Sequence[int] | None = None) -> Chart:
    """Bars for months 1, 2, …, each given as minor units per tier; the longest fills the width.

    `last` are the totals of the same months of the year before, if there is one to compare with.
    """
    longest = max([sum(_drawn(amounts)) for amounts in months] + list(last or [0]), default=0)
    row = ROW + (BELOW if last else 0)
    bars = tuple(
        _bar(index, amounts, longest, last[index] if last else None, row) for index, amounts in enumerate(months)
    )
    return Chart(WIDTH, row * len(bars), bars, _paths(bars), "".join(_box(bar.last) for bar in bars if bar.last))


def _paths(bars: Sequence[Bar]) -> tuple[tuple[int, str], ...]:
    """Of tiers with the same filling one path."""
    boxes: dict[int, str] = {}
    for bar in bars:
        for part in bar.segments:
            box = f"M{part.x} {bar.y}h{part.width}v{bar.height}h-{part.width}z"
            boxes[part.pattern] = boxes.get(part.pattern, "") + box
    return tuple(sorted(boxes.items()))


def _box(last: LastYear) -> str:
    return f"M{last.x} {last.y}h{last.width}v{last.height}h-{last.width}z" if last.width else ""


def pattern_of(series: int) -> int:
    """The filling of the tier that stands at `series` (from 0) in the scheme."""
    return series % PATTERNS + 1


def _bar(index: int, amounts: Sequence[int], longest: int, last_minor: int | None, row: int) -> Bar:
    y = index * row + (ROW - BAR) // 2
    segments = _segments(_drawn(amounts), longest)
    end = segments[-1].x + segments[-1].width if segments else LABELS
    last = None if last_minor is None else _last_year(y + BAR + 1, last_minor, longest)
    return Bar(index + 1, y, BAR, y + BAR // 2, end + 6, sum(amounts), segments, last)


def _last_year(y: int, amount_minor: int, longest: int) -> LastYear:
    width = _scaled(max(amount_minor, 0), longest) - LABELS
    return LastYear(LABELS, y, width, BELOW, amount_minor)


def _segments(amounts: Sequence[int], longest: int) -> tuple[Segment, ...]:
    """Each ends where its running sum ends, so that rounding never adds up."""
    segments = []
    before = 0
    for series, amount in enumerate(amounts):
        start, end = _scaled(before, longest), _scaled(before + amount, longest)
        before += amount
        if end > start:
            segments.append(Segment(series, pattern_of(series), start, end - start, amount))
    return tuple(segments)


def _scaled(amount: int, longest: int) -> int:
    return LABELS + (amount * (WIDTH - LABELS - AMOUNTS) // longest if longest else 0)


def _drawn(amounts: Sequence[int]) -> list[int]:
    """What more was returned than bought has no length."""
    return [max(amount, 0) for amount in amounts]

"""The geometry of charts in whole SVG units: two bars a row, one below the other, and columns side by side. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 360
BAR: Final = 14
ROW: Final = 40
LABELS: Final = 28  # left of the bars
AMOUNTS: Final = 84  # right of the longest bar: room for 1,000,000円


@dataclass(frozen=True, slots=True)
class Bar:
    """One amount as a bar; the amount is written at `text_x`, `text_y`."""

    pattern: int
    y: int
    width: int
    text_x: int
    text_y: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Pair:
    """A row's two bars; its label is written on `text_y`."""

    label: int
    text_y: int
    bars: tuple[Bar, Bar]


@dataclass(frozen=True, slots=True)
class PairChart:
    """All rows, where bars start and how high they are, and the size of the drawing."""

    width: int
    height: int
    bars_x: int
    bar_height: int
    rows: tuple[Pair, ...]


def pair_chart(amounts_minor: Sequence[tuple[int, int]]) -> PairChart:
    """Two bars, of amounts from 0 up, for each of the rows 1, 2, …; the longest of all fills the width."""
    longest = max((amount for pair in amounts_minor for amount in pair), default=0)
    rows = tuple(
        Pair(index + 1, index * ROW + ROW // 2, (_bar(index, 0, one, longest), _bar(index, 1, two, longest)))
        for index, (one, two) in enumerate(amounts_minor)
    )
    return PairChart(WIDTH, ROW * len(rows), LABELS, BAR, rows)


def _bar(row: int, place: int, amount_minor: int, longest: int) -> Bar:
    width = amount_minor * (WIDTH - LABELS - AMOUNTS) // longest if longest else 0
    y = row * ROW + ROW // 2 + (place - 1) * BAR
    return Bar(place + 1, y, width, LABELS + width + 6, y + BAR // 2, amount_minor)


COLUMNS_HEIGHT: Final = 160
COLUMN_LABELS: Final = 20  # below the columns
INSET: Final = 10  # beside them: half of a label


@dataclass(frozen=True, slots=True)
class Column:
    """One count as a column; its label is written around `text_x`."""

    label: int
    x: int
    y: int
    height: int
    text_x: int


@dataclass(frozen=True, slots=True)
class ColumnChart:
    """Columns side by side and, where something is expected of them, the points of a line over them."""

    width: int
    height: int
    column_width: int
    text_y: int
    columns: tuple[Column, ...]
    points: str


def column_chart(counts: Sequence[tuple[int, int]], expected: Sequence[int] = ()) -> ColumnChart:
    """A column for each (label, count), counts from 0 up, and a line through what is expected; the highest fills it."""
    step = (WIDTH - 2 * INSET) // max(len(counts), 1)
    highest = max([count for _, count in counts] + list(expected), default=0)
    columns = tuple(
        Column(label, INSET + index * step, COLUMNS_HEIGHT - height, height, INSET + index * step + step // 2)
        for index, (label, count) in enumerate(counts)
        for height in [_height(count, highest)]
    )
    points = " ".join(
        f"{INSET + index * step + step // 2},{COLUMNS_HEIGHT - _height(count, highest)}"
        for index, count in enumerate(expected)
    )
    width = max(step - 1, 1)
    return ColumnChart(WIDTH, COLUMNS_HEIGHT + COLUMN_LABELS, width, COLUMNS_HEIGHT + 14, columns, points)


def _height(count: int, highest: int) -> int:
    return count * COLUMNS_HEIGHT // highest if highest else 0

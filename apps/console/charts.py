"""The geometry of a chart that compares: two bars a row, one below the other, in whole SVG units. Pure."""

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

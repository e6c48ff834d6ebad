"""The chart of growth: seconds, memory and disk beside purchases, as an SVG of its own. Pure.

Lines have marks of different shapes and their names at their ends, so that they are told apart without colour. There is
no background, and its colours follow the reader's light or dark mode.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

WIDTH: Final = 760
PANEL: Final = 220  # height of a panel's field
LEFT: Final = 64
RIGHT: Final = 150  # room for the names of lines
TOP: Final = 64
GAP: Final = 74  # between panels: its axis and the next one's title
STYLE: Final = (
    "text{font:13px system-ui,sans-serif;fill:#222}.t{font-size:17px;font-weight:600}.p{font-weight:600}"
    ".g{stroke:#8886}.x{stroke:#777}path,circle,rect,polygon{stroke-width:2}"
    ".c0{stroke:#0b62b0;fill:#0b62b0}.c1{stroke:#b3470b;fill:#b3470b}.c2{stroke:#1f7a33;fill:#1f7a33}"
    ".c3{stroke:#7a3fa0;fill:#7a3fa0}path.l{fill:none}path.s{stroke-dasharray:4 4;stroke:#777;fill:none}"
    "@media (prefers-color-scheme:dark){text{fill:#ddd}.x{stroke:#aaa}.c0{stroke:#6ab7ff;fill:#6ab7ff}"
    ".c1{stroke:#ff9d5c;fill:#ff9d5c}.c2{stroke:#6fd388;fill:#6fd388}.c3{stroke:#cf9df2;fill:#cf9df2}}"
)


class Line(NamedTuple):
    """A line of a panel: its name, and points of (million purchases, value)."""

    name: str
    points: Sequence[tuple[float, float]]


class Panel(NamedTuple):
    """A field with its own value axis. With `straight` a dashed line joins each line's first point and its last."""

    title: str
    lines: Sequence[Line]
    straight: bool = False


def drawing(title: str, description: str, panels: Sequence[Panel]) -> str:
    """The chart: panels one below the other, all with purchases in millions along."""
    height = TOP + len(panels) * (PANEL + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="t d">',
        f'<title id="t">{escape(title)}</title><desc id="d">{escape(description)}</desc><style>{STYLE}</style>',
        f'<text class="t" x="16" y="28">{escape(title)}</text>',
    ]
    for index, panel in enumerate(panels):
        parts += _panel(panel, TOP + index * (PANEL + GAP))
    return "\n".join([*parts, "</svg>", ""])


def ticks(most: float) -> list[float]:
    """From 0 up in four to eight round steps, the last at or above `most`."""
    step = 10.0**-9
    while most / step > 8:
        for factor in (2, 2.5, 2):  # 1, 2, 5, 10
            step *= factor
            if most / step <= 8:
                break
    return [round(step * n, 9) for n in range(int(-(-most // step)) + 1)]


def _panel(panel: Panel, top: int) -> list[str]:
    along = ticks(max(x for line in panel.lines for x, _ in line.points))
    up = ticks(max(y for line in panel.lines for _, y in line.points))

    def x_of(value: float) -> int:
        return round(LEFT + value / along[-1] * (WIDTH - LEFT - RIGHT))

    def y_of(value: float) -> int:
        return round(top + PANEL - value / up[-1] * PANEL)

    parts = [f'<text class="p" x="16" y="{top - 12}">{escape(panel.title)}</text>']
    for value in up:
        y = y_of(value)
        parts.append(f'<line class="g" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{value:,g}</text>')
    below = top + PANEL + 18
    parts += [f'<text x="{x_of(value)}" y="{below}" text-anchor="middle">{value:,g}</text>' for value in along]
    middle = (LEFT + WIDTH - RIGHT) // 2
    parts.append(f'<line class="x" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{top + PANEL}" y2="{top + PANEL}"/>')
    parts.append(f'<text x="{middle}" y="{top + PANEL + 36}" text-anchor="middle">purchases, million</text>')
    names = _apart([y_of(line.points[-1][1]) for line in panel.lines])
    for index, line in enumerate(panel.lines):
        points = [(x_of(x), y_of(y)) for x, y in line.points]
        if panel.straight:
            parts.append(f'<path class="s" d="M{_at(points[0])} L{_at(points[-1])}"/>')
        parts.append(f'<path class="l c{index}" d="M{" L".join(map(_at, points))}"/>')
        parts += [_mark(index, x, y) for x, y in points]
        parts.append(f'<text x="{points[-1][0] + 12}" y="{names[index] + 4}">{escape(line.name)}</text>')
    return parts


def _at(point: tuple[int, int]) -> str:
    return f"{point[0]} {point[1]}"


def _mark(index: int, x: int, y: int) -> str:
    match index % 4:
        case 0:
            return f'<circle class="c0" cx="{x}" cy="{y}" r="3"/>'
        case 1:
            return f'<rect class="c1" x="{x - 3}" y="{y - 3}" width="6" height="6"/>'
        case 2:
            return f'<polygon class="c2" points="{x},{y - 4} {x + 4},{y + 3} {x - 4},{y + 3}"/>'
        case _:
            return f'<polygon class="c3" points="{x},{y - 4} {x + 4},{y} {x},{y + 4} {x - 4},{y}"/>'


def _apart(places: Sequence[int]) -> list[int]:
    """Places of names, moved down so that none covers another."""
    moved = list(places)
    last = -99
    for index in sorted(range(len(places)), key=lambda one: places[one]):
        last = moved[index] = max(moved[index], last + 16)
    return moved

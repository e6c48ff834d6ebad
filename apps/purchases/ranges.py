"""Sets of numbers as half-open ranges: which of a terminal's records have come. Pure."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TypeAlias

# (first, end) with the end not in the range; ascending and apart from each other.
Ranges: TypeAlias = Sequence[tuple[int, int]]


def to_ranges(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """The ranges that hold exactly these numbers."""
    ranges: list[tuple[int, int]] = []
    for number in sorted(set(numbers)):
        if ranges and ranges[-1][1] == number:
            ranges[-1] = (ranges[-1][0], number + 1)
        else:
            ranges.append((number, number + 1))
    return ranges


def ranges_text(ranges: Ranges) -> str:
    """The ranges as PostgreSQL writes a multirange."""
    return "{" + ",".join([f"[{first},{end})" for first, end in ranges]) + "}"


def read_ranges(text: str) -> list[tuple[int, int]]:
    """The ranges in PostgreSQL's text of a multirange of whole numbers."""
    bounds = list(map(int, re.findall(r"-?[0-9]+", text)))
    return list(zip(bounds[::2], bounds[1::2], strict=True))


def contains(ranges: Ranges, number: int) -> bool:
    """Whether a range has the number."""
    at = bisect_right(ranges, (number, 2**63)) - 1
    return at >= 0 and number < ranges[at][1]


def next_number(ranges: Ranges) -> int:
    """The number after the highest; 1 when there is none."""
    return ranges[-1][1] if ranges else 1


def gaps(ranges: Ranges, *, most: int) -> list[tuple[int, int]]:
    """The first `most` gaps below the highest number, from 1, as (first, last), both in the gap."""
    found = []
    expected = 1
    for first, end in ranges:
        if expected < first:
            found.append((expected, first - 1))
        expected = end
        if len(found) == most:
            break
    return found


def merge(some: Ranges, others: Ranges) -> list[tuple[int, int]]:
    """The union of two sets of ranges."""
    merged: list[tuple[int, int]] = []
    for first, end in sorted(chain(some, others)):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((first, end))
    return merged

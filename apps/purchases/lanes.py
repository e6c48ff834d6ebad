"""Lanes: terminals in a fixed number of groups. A lane is what the purchases' tables are distributed by.

One claim of work reads one lane, so it stays on one shard of a distributed database and still takes many
terminals' batches at once.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypedDict

from apps.purchases.following import Key

LANES: Final = 64
NAMED: Final = "unnest(%(terminals)s::int4[], %(seqs)s::int4[]) AS k (terminal_id, seq)"  # records of one lane
ANYWHERE: Final = (
    "unnest(%(lanes)s::int2[], %(terminals)s::int4[], %(seqs)s::int4[]) AS k (lane, terminal_id, seq)"  # of any lanes
)


class Place(TypedDict):
    """Records of one lane, as statements name them."""

    lane: int
    terminals: list[int]
    seqs: list[int]


def lane_of(terminal_id: int) -> int:
    """The lane of a terminal, 0 to 63."""
    return terminal_id % LANES


def place_of(keys: Sequence[Key]) -> Place:
    """Records of one lane, as statements name them."""
    return {
        "lane": lane_of(keys[0].terminal_id),
        "terminals": [key.terminal_id for key in keys],
        "seqs": [key.seq for key in keys],
    }


def by_lane(keys: Iterable[Key]) -> Iterator[Place]:
    """Records lane by lane, as statements name them; in the lanes' order, in which locks are taken."""
    lanes: dict[int, list[Key]] = defaultdict(list)
    for key in keys:
        lanes[lane_of(key.terminal_id)].append(key)
    return (place_of(some) for _, some in sorted(lanes.items()))


def anywhere(keys: Iterable[Key]) -> dict[str, object]:
    """Records of any lanes, as statements that lock nothing name them."""
    listed = list(keys)
    return {
        "lanes": [lane_of(key.terminal_id) for key in listed],
        "terminals": [key.terminal_id for key in listed],
        "seqs": [key.seq for key in listed],
    }

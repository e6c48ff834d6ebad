"""Lanes: terminals in a fixed number of groups. A lane is what the purchases' tables are distributed by.

One claim of work reads one lane, so it stays on one shard of a distributed database and still takes many
terminals' batches at once.
"""

from typing import Final

LANES: Final = 64


def lane_of(terminal_id: int) -> int:
    """The lane of a terminal, 0 to 63."""
    return terminal_id % LANES

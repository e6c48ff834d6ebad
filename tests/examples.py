"""How many examples a property is tried on: some with all other tests, ten times as many with `make long`."""

import os

LONG = os.environ.get("KANPU_LONG", "")


def examples(some: int) -> int:
    """So many, or ten times as many."""
    return some * 10 if LONG else some

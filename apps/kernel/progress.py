"""How long work tells how far it is. Pure."""

from collections.abc import Callable

Seen = Callable[[int, int], None]  # done, of how many (0: nobody knows)


def nothing_seen(_done: int, _total: int) -> None:
    """For callers that show no progress."""

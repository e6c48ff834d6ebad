"""Doing the same at once, in threads that have a connection to the database each."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connections

from apps.kernel.errors import KanpuError

T = TypeVar("T")
THREADS = 8


def at_once(act: Callable[[T], str], each: Sequence[T]) -> list[str]:
    """What came of each, in their order: what `act` returned, or the code of the error that it raised."""

    def outcome(one: T) -> str:
        try:
            return act(one)
        except KanpuError as error:
            return error.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(outcome, each))

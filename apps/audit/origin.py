"""From where something was done, as the trail says it: `web 203.0.113.5`, `worker tokyo-1`, `command tokyo-1`."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

ORIGIN_LENGTH: Final = 60
_origin: ContextVar[str] = ContextVar("origin")
_process = "command"


def origin() -> str:
    """From where what runs now was asked for: a request's address, or this process and its host."""
    return _origin.get(None) or f"{_process} {socket.gethostname()}"[:ORIGIN_LENGTH]


def process_is(kind: str) -> None:
    """Say what kind of process this is."""
    global _process  # noqa: PLW0603 - one for the process, said once when it starts
    _process = kind


@contextmanager
def coming_from(place: str) -> Iterator[None]:
    """Until the end of the block, this is from where."""
    token = _origin.set(place[:ORIGIN_LENGTH])
    try:
        yield
    finally:
        _origin.reset(token)

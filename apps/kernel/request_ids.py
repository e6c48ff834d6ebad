"""For which request something is done: its number goes from the till through the answer to tasks and logs. Pure."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final
from uuid import UUID

UUID_LENGTH: Final = 36
_request_id: ContextVar[UUID | None] = ContextVar("request_id", default=None)


def request_id() -> UUID | None:
    """The number of the request that what runs now is done for, if it is done for one."""
    return _request_id.get()


def read_request_id(text: str) -> UUID | None:
    """A number as others sent it, or None if that is not a UUID in its usual form."""
    if len(text) != UUID_LENGTH:
        return None
    try:
        return UUID(text)
    except ValueError:
        return None


@contextmanager
def done_for(number: UUID | None) -> Iterator[None]:
    """Until the end of the block, all is done for this request."""
    token = _request_id.set(number)
    try:
        yield
    finally:
        _request_id.reset(token)

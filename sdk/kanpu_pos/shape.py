"""Reading what the server answers: JSON of the shape that the protocol names, or a clear error."""

import json
from collections.abc import Mapping

from kanpu_pos.errors import KanpuPosError


class UnexpectedAnswerError(KanpuPosError):
    """An answer that is not the protocol's. Its batch is not counted; sending it again does no harm."""


def json_of(body: bytes) -> object:
    """Return the JSON value of an answer's body."""
    try:
        value: object = json.loads(body)
    except ValueError:
        raise UnexpectedAnswerError(f"the answer is not JSON: {body[:80]!r}") from None
    return value


def object_of(value: object, name: str) -> dict[str, object]:
    """Return `value`, which is called `name`, if it is an object."""
    if not isinstance(value, dict):
        raise UnexpectedAnswerError(f"the answer's {name!r} is not an object")
    return value


def list_of(value: object, name: str) -> list[object]:
    """Return `value`, which is called `name`, if it is a list."""
    if not isinstance(value, list):
        raise UnexpectedAnswerError(f"the answer's {name!r} is not a list")
    return value


def count_in(row: Mapping[str, object], name: str) -> int:
    """Return the field `name` if it is an integer from 0."""
    value = row.get(name)
    if not (type(value) is int and value >= 0):
        raise UnexpectedAnswerError(f"the answer's {name!r} is not a count")
    return value


def text_in(row: Mapping[str, object], name: str) -> str:
    """Return the field `name` if it is a string."""
    value = row.get(name)
    if not isinstance(value, str):
        raise UnexpectedAnswerError(f"the answer's {name!r} is not a string")
    return value


def text_or_none(value: object) -> str | None:
    """Return a JSON value if it is a string."""
    return value if isinstance(value, str) else None


def ranges_in(row: Mapping[str, object], name: str) -> tuple[tuple[int, int], ...]:
    """Return the field `name` if it is a list of ranges of seq, both ends included."""
    return tuple(_range(pair, name) for pair in list_of(row.get(name), name))


def _range(pair: object, name: str) -> tuple[int, int]:
    match pair:
        case [int(low), int(high)] if low <= high:
            return low, high
    raise UnexpectedAnswerError(f"the answer's {name!r} holds something that is not a range")

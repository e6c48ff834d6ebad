"""What a case expects of an answer, said so that a failure explains itself."""

from collections.abc import Sequence
from typing import Any


class Failure(Exception):
    """An answer is not what the protocol says: what was expected, and what came instead."""

    def __init__(self, expected: str, answered: str) -> None:
        super().__init__(expected, answered)
        self.expected = expected
        self.answered = answered

    def __str__(self) -> str:
        return f"expected {self.expected}; answered {self.answered}"


def equal(what: str, expected: object, answered: object) -> None:
    """Raise Failure unless the two are equal, and of one type: 1 is not true."""
    if type(expected) is not type(answered) or expected != answered:
        raise Failure(f"{what}: {expected!r}", f"{answered!r}")


def true(what: str, holds: object, answered: object) -> None:
    """Raise Failure unless `holds`."""
    if not holds:
        raise Failure(what, repr(answered))


def field(row: Any, *path: str | int) -> Any:
    """Return what stands in an answer at `path`, such as ("terminal", "next_seq"); raise Failure where nothing does."""
    value = row
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            raise Failure(f"a field {'.'.join(map(str, path))}", repr(row)) from None
    return value


def only_fields(what: str, row: Any, names: Sequence[str]) -> None:
    """Raise Failure unless `row` is an object with these fields and no others."""
    if not isinstance(row, dict) or set(row) != set(names):
        raise Failure(f"{what} with the fields {', '.join(sorted(names))}", repr(row))

"""Stored records cut into request bodies that the server takes: at most 1,000 records and 1 MiB each."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NoReturn

from kanpu_pos.errors import KanpuPosError
from kanpu_pos.fields import check_terminal
from kanpu_pos.seal import Seal

MAX_RECORDS: Final = 1_000
MAX_BODY_BYTES: Final = 1_048_576  # of JSON, before any compression

_SEAL_BYTES: Final = len(b',"seal":' + Seal(bytes(32), bytes(64)).to_json())


class StoredRecordError(KanpuPosError, ValueError):
    """A stored record that is no JSON object, or too large; `index` is its position as passed in."""

    def __init__(self, index: int, message: str) -> None:
        super().__init__(index, message)
        self.index = index
        self.message = message

    def __str__(self) -> str:
        return f"stored record {self.index}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One request body; its records are those passed in at `first_index` and the `count - 1` after it."""

    first_index: int
    count: int
    body: bytes = field(repr=False)


def split(terminal: str, records: Iterable[bytes], *, seal_at: Callable[[int], Seal] | None = None) -> Iterator[Batch]:
    """Yield the batches of `records`, in order, each record's bytes as they are; takes a batch's worth at a
    time.

    `seal_at(index)` gives the seal of a batch that ends with the record at that position; without it the batches
    bear none. Raises FieldError for a bad terminal code, and StoredRecordError at the first record that would
    spoil its batch for the others: it is raised before that batch is yielded.
    """
    check_terminal(terminal)
    head = b'{"terminal":"%b","purchases":[' % terminal.encode("ascii")
    room_bytes = MAX_BODY_BYTES - len(head) - len(b"]}") - (_SEAL_BYTES if seal_at else 0)
    first_index = 0
    for group in _groups(records, room_bytes=room_bytes):
        last_index = first_index + len(group) - 1
        seal = b',"seal":' + seal_at(last_index).to_json() if seal_at else b""
        body = head + b",".join(group) + b"]" + seal + b"}"
        yield Batch(first_index=first_index, count=len(group), body=body)
        first_index += len(group)


def _groups(records: Iterable[bytes], *, room_bytes: int) -> Iterator[list[bytes]]:
    """Yield full groups whose records, joined by commas, fit into `room_bytes`."""
    group: list[bytes] = []
    used_bytes = 0
    for index, record in enumerate(records):
        _check_stored(record, index, room_bytes=room_bytes)
        if len(group) == MAX_RECORDS or used_bytes + len(record) > room_bytes:
            yield group
            group, used_bytes = [], 0
        group.append(record)
        used_bytes += len(record) + 1
    if group:
        yield group


def _check_stored(record: bytes, index: int, *, room_bytes: int) -> None:
    if len(record) > room_bytes:
        raise StoredRecordError(index, f"{len(record)} bytes do not fit into a batch of {MAX_BODY_BYTES}")
    try:
        value = json.loads(record.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise StoredRecordError(index, f"not JSON ({error}); it was damaged or never written whole") from None
    if not isinstance(value, dict):
        raise StoredRecordError(index, "not a JSON object")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")

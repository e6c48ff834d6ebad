"""What the log's tree has of an event or an access: all of its row, in one canonical form. Pure."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from apps.audit.merkle import leaf_hash

FIELDS: Final[Mapping[str, Sequence[str]]] = {
    "event": (
        "id", "at", "actor", "action", "subject", "resident_ref", "purpose", "origin", "detail", "before_mac",
        "after_mac", "written",
    ),
    "access": (
        "id", "at", "actor", "role", "office", "resident_ref", "what", "purpose", "case", "origin", "written",
    ),
}  # fmt: skip
JSON: Final = "detail"  # comes from the database as text


def leaf_of(source: str, values: Sequence[Any]) -> bytes:
    """The leaf's hash of a row, whose values are those of FIELDS[source] in that order."""
    return leaf_hash(leaf_data(source, values))


def leaf_data(source: str, values: Sequence[Any]) -> bytes:
    """A row as UTF-8 JSON: `[source, {field: value}]`, sorted, times in UTC, hashes in hex, JSON as JSON."""
    row = {
        field: json.loads(value) if field == JSON else _plain(value)
        for field, value in zip(FIELDS[source], values, strict=True)
    }
    return json.dumps([source, row], sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return value

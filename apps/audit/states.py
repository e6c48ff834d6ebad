"""What a row was when it was read, and what it is: for the trail, which keeps keyed hashes of both."""

from types import MappingProxyType
from typing import Any, Final, Self, TypedDict

from django.db import models

NOTHING: Final = MappingProxyType[str, object]({})


class Change(TypedDict):
    """What `record_event` takes."""

    before: dict[str, object]
    after: dict[str, object]


class Remembers(models.Model):
    """A row that knows what it was when it was read; a new one was nothing."""

    was = NOTHING

    class Meta:
        abstract = True

    @classmethod
    def from_db(cls, *given: Any, **named: Any) -> Self:
        """As Django makes it."""
        row = super().from_db(*given, **named)
        row.was = MappingProxyType(state_of(row))
        return row


def state_of(row: models.Model) -> dict[str, object]:
    """The columns of a row that were read, by name; bytes in hex."""
    left_out = row.get_deferred_fields()
    names = [field.attname for field in row._meta.concrete_fields if field.attname not in left_out]
    return {name: _plain(getattr(row, name)) for name in names}


def change_of(row: Remembers) -> Change:
    """What the row was and is; from then on it was what it is."""
    change: Change = {"before": dict(row.was), "after": state_of(row)}
    row.was = MappingProxyType(change["after"])
    return change


def _plain(value: object) -> object:
    return bytes(value).hex() if isinstance(value, bytes | memoryview) else value

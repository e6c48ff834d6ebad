"""What a row of the register changes of what is known of a resident, as dated events and months. Pure."""

from collections.abc import Mapping
from datetime import date
from typing import Final, NamedTuple

from msgspec.structs import replace

from apps.residents.register.prepared import age_on
from apps.residents.register.residence import Residence
from apps.residents.register.rows import Row
from apps.residents.vault.contents import Identity

# What an event that the register names explains: then there is no event for that as well.
EXPLAINS: Final[Mapping[str, frozenset[str]]] = {
    "birth": frozenset({"register"}),
    "move_in": frozenset({"register"}),
    "marriage": frozenset({"name"}),
    "divorce": frozenset({"name"}),
    "death": frozenset({"move_out"}),
}


class Dated(NamedTuple):
    """A kind of register event and the day on which it takes effect."""

    kind: str
    day: date


def events_of(row: Row, kinds: set[str], as_of: date) -> list[Dated]:
    """The events of what a row changes, with the one that it names. None when nothing changes."""
    if not kinds:
        return []
    named = {row.event} if row.event else set()
    explained = EXPLAINS.get(row.event or "", frozenset())
    return sorted(Dated(kind, effective_day(row, kind, as_of)) for kind in (kinds - explained) | named)


def effective_day(row: Row, kind: str, as_of: date) -> date:
    """The day that the row gives; else the row's own day of what happened; else the day as of which it is read."""
    if row.event_date and (kind == row.event or row.event is None):
        return row.event_date
    if kind in ("move_out", "death"):
        return row.resident_to or as_of
    if kind in ("register", "birth", "move_in"):
        return row.resident_from
    return row.event_date or as_of


def first_events(row: Row, as_of: date) -> list[Dated]:
    """The events of somebody who was not in the register: a newborn's is the birth."""
    is_newborn = row.birth_date == row.resident_from and age_on(as_of, row.birth_date) < 1
    kinds = {"birth" if is_newborn else "register"} | ({"move_out"} if row.resident_to else set())
    return events_of(row, kinds, as_of)


def changed_identity(old: Identity, new: Identity) -> set[str]:
    """The kinds of what differs between two identities."""
    kinds = set()
    if old.individual_number != new.individual_number:
        kinds.add("number")
    if old.resident_code != new.resident_code:
        kinds.add("code")
    if old.address != new.address:
        kinds.add("address")
    if old.person != new.person and old.person and new.person:
        born_anew = old.person.birth_date != new.person.birth_date
        named_anew = replace(old.person, birth_date=new.person.birth_date) != new.person
        kinds |= ({"correction"} if born_anew else set()) | ({"name"} if named_anew else set())
    return kinds


def changed_residence(old: Residence, new: Residence) -> set[str]:
    """The kinds of what differs between two residences."""
    if old == new:
        return set()
    if old.start == new.start and old.end is None and new.end:
        return {"move_out"}
    return {"move_in"} if len(new.earlier) > len(old.earlier) and new.start > old.start else {"correction"}


def month_of(day: date) -> date:
    """The first of a day's month."""
    return day.replace(day=1)


def month_from(day: date) -> date:
    """The day if it is a first of a month, else the first of the month after."""
    if day.day == 1:
        return day
    return day.replace(year=day.year + day.month // 12, month=day.month % 12 + 1, day=1)

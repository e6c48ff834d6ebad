"""The list of cases: each is a sentence that holds of a server or a till, and the function that tries it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from kanpu_pos.conformance.kit import Kit

Play: TypeAlias = Callable[[Kit], None]

TILL_GROUP: Final = "the vendor's till"
GROUPS: Final = (
    "records", "duplicates and conflicts", "kinds", "closings", "seal", "offline", "errors",
    "reading back", "enrolling", "tiers and keys", "test cards", TILL_GROUP,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that the protocol says: `name` is the sentence, `source` the place in the protocol.

    `play` raises Failure when it does not hold.
    """

    group: str
    name: str
    source: str
    play: Play


CASES: Final[list[Case]] = []


def case(group: str, name: str, *, source: str) -> Callable[[Play], Play]:
    """Put a function on the list of cases."""

    def listed(play: Play) -> Play:
        CASES.append(Case(group, name, source, play))
        return play

    return listed


def chosen(only: Sequence[str], *, with_till: bool) -> list[Case]:
    """The cases whose group or name has one of the words of `only`, or all; those of a till only `with_till`."""
    words = [word.lower() for word in only]
    found = [
        each
        for each in CASES
        if (with_till or each.group != TILL_GROUP)
        and (not words or any(word in f"{each.group} {each.name}".lower() for word in words))
    ]
    return sorted(found, key=lambda each: GROUPS.index(each.group))

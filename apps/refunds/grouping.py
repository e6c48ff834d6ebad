"""Which residents must be assessed together: those whom shared households tie to each other. Pure."""

from collections.abc import Iterable
from uuid import UUID


def groups_of(homes: Iterable[Iterable[UUID]]) -> dict[UUID, UUID]:
    """For households that somebody moved between, the smallest household of all that hang together.

    `homes` has each resident's households of the year; a household that nobody moved from or to is not in the answer.
    """
    leader: dict[UUID, UUID] = {}

    def find(home: UUID) -> UUID:
        while (up := leader.setdefault(home, home)) != home:
            leader[home] = leader[up]
            home = leader[home]
        return home

    for of_resident in homes:
        first, *others = dict.fromkeys(of_resident)
        for other in others:
            low, high = sorted((find(first), find(other)))
            leader[high] = low
    return {home: find(home) for home in list(leader)}

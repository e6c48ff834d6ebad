"""Families for schemes that ask for them: the data's households, one shopper each, put together.

Who lives with whom is made up: sizes go round 1, 2, 3, 4, and the last of every tenth family moves to the next one in
August. Incomes are those that households told (`baskets.incomes`), a thousand dollars a year taken as 2,000 minor
units a month; who told none has no attribute.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from itertools import cycle, islice
from typing import Final
from uuid import UUID, uuid4

from apps.residents.operations import Home, place_in_households, set_attributes
from apps.simulator.baskets import YEAR, incomes

SIZES: Final = (1, 2, 3, 4)
EVERY_MOVE: Final = 10
NEW_YEAR: Final = date(YEAR, 1, 1)
MOVING_DAY: Final = date(YEAR, 8, 1)
A_MONTH_MINOR: Final = 2_000


def move_in(residents: Mapping[int, UUID], *, at: datetime, actor: str) -> None:
    """Put residents into families, with their incomes as the schemes of Brazil and Portugal ask for them."""
    families = list(_families(list(residents)))
    place_in_households(_homes(families, residents), at=at, actor=actor)
    set_attributes(_attributes(families, residents), start=NEW_YEAR, at=at, actor=actor)


def _families(households: list[int]) -> Iterator[list[int]]:
    ahead = iter(households)
    for size in cycle(SIZES):
        family = list(islice(ahead, size))
        if not family:
            return
        yield family


def _homes(families: list[list[int]], residents: Mapping[int, UUID]) -> Iterator[Home]:
    homes = [uuid4() for _ in families]
    for number, family in enumerate(families):
        moves = number % EVERY_MOVE == EVERY_MOVE - 1 and len(family) > 1 and number + 1 < len(families)
        for place, household in enumerate(family):
            leaves = moves and place == len(family) - 1
            end = MOVING_DAY if leaves else None
            yield Home(residents[household], homes[number], NEW_YEAR, end, is_head=place == 0)
            if leaves:
                yield Home(residents[household], homes[number + 1], MOVING_DAY)


def _attributes(families: list[list[int]], residents: Mapping[int, UUID]) -> Iterator[tuple[UUID, str, int | str]]:
    told = incomes()
    for family in families:
        of_family = [told[household] * A_MONTH_MINOR for household in family if household in told]
        if of_family:
            for household in family:
                yield residents[household], "attr_income_per_head_minor", sum(of_family) // len(family)
                yield residents[household], "attr_family_limit_minor", sum(of_family) // 10

"""Who the demo's residents are: the data's households, one shopper each, put together into families of a made-up town.

Names, numbers and addresses are made up (`register.people`), and who lives with whom: sizes go round 1, 2, 3, 4, and
the last of every tenth family moves to the next one in August. Incomes are those that households told
(`baskets.incomes`), a thousand dollars a year taken as 2,000 minor units a month; who told none has no attribute.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import cycle, islice
from typing import Final

from apps.simulator.baskets import YEAR, incomes
from apps.simulator.register import people

SIZES: Final = (1, 2, 3, 4)
EVERY_MOVE: Final = 10
NEW_YEAR: Final = date(YEAR, 1, 1)
MOVING_DAY: Final = date(YEAR, 8, 1)
A_MONTH_MINOR: Final = 2_000
SEED: Final = 2017

Row = dict[str, str]


def register_rows(households: Sequence[int]) -> dict[int, Row]:
    """The row of each household's shopper in the town's register, as it is at New Year."""
    families = list(families_of(households))
    sizes = [(f"{number:08}", len(family)) for number, family in enumerate(families, start=1)]
    rows = people(SEED, households=sizes, today=NEW_YEAR)
    shoppers = (household for family in families for household in family)
    at_new_year = {"resident_from": NEW_YEAR.isoformat(), "resident_to": ""}
    return {household: row | at_new_year for household, row in zip(shoppers, rows, strict=True)}


def with_incomes(rows: Mapping[int, Row]) -> dict[int, Row]:
    """The rows with what the schemes of Brazil and Portugal ask for."""
    told, of_family = incomes(), _members(rows)
    found = {}
    for household, row in rows.items():
        family = of_family[row["household"]]
        earned = [told[member] * A_MONTH_MINOR for member in family if member in told]
        found[household] = row | (_attributes(sum(earned), len(family)) if earned else {})
    return found


def moved(rows: Mapping[int, Row]) -> dict[int, Row]:
    """The rows of those who move, as the register has them in August."""
    families = list(_members(rows).items())
    return {
        family[-1]: rows[family[-1]] | {"household": families[at + 1][0], "head": "", "event_date": str(MOVING_DAY)}
        for at, (_, family) in enumerate(families[:-1])
        if at % EVERY_MOVE == EVERY_MOVE - 1 and len(family) > 1
    }


def families_of(households: Sequence[int]) -> Iterator[list[int]]:
    ahead = iter(households)
    for size in cycle(SIZES):
        family = list(islice(ahead, size))
        if not family:
            return
        yield family


def _members(rows: Mapping[int, Row]) -> dict[str, list[int]]:
    """Each family's shoppers by the family's number, in the register's order."""
    members: dict[str, list[int]] = {}
    for household, row in rows.items():
        members.setdefault(row["household"], []).append(household)
    return members


def _attributes(family_minor: int, members: int) -> Row:
    per_head, limit = family_minor // members, family_minor // 10
    return {"attr_income_per_head_minor": str(per_head), "attr_family_limit_minor": str(limit)}

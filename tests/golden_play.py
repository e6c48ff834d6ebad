"""Golden cases: signed-off purchases and refunds under tests/golden/, and how to play them.

A case is first turned into the single entries that an archive would have; `people_of` adds them up for the pure engine.
So the same case can be given to whatever assesses entries. The format is described in tests/golden/README.md.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import yaml

from apps.refunds.assessment import Person, assess_group
from apps.refunds.rules import rules_of
from apps.schemes.document import Scheme
from apps.schemes.purchase_rule import bases_of, shares_of_month
from apps.schemes.reading import read_scheme_text

GOLDEN = Path(__file__).resolve().parent / "golden"
SHIPPED = Path(__file__).resolve().parents[1] / "apps/schemes/files"
NAMES = UUID(int=0x2015)  # what references are made from, so that a case has the same ones every time


class Entry(NamedTuple):
    """A counted record: a sale, or what a return takes off it, with the sale's time and amounts below 0."""

    resident_ref: UUID
    sale_id: int
    sold_at: datetime  # UTC
    amounts_minor: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Resident:
    """Who bought, where they lived in each month (None: not resident), and what they must get."""

    ref: UUID
    households: tuple[UUID | None, ...]
    attributes: Mapping[str, int | str]
    refund_minor: int
    at_cap: bool


@dataclass(frozen=True, slots=True)
class Case:
    """One signed-off case."""

    name: str
    scheme: Scheme
    year: int
    residents: tuple[Resident, ...]
    entries: tuple[Entry, ...]


def all_cases() -> list[Case]:
    """Every case of every golden file, by file name."""
    return [case for path in sorted(GOLDEN.glob("*/refunds.yaml")) for case in read_cases(path)]


def read_cases(path: Path) -> list[Case]:
    """The cases of a file. Its scheme is the scheme.yaml beside it, or else the shipped one that it names."""
    content = yaml.safe_load(path.read_text())
    beside = path.with_name("scheme.yaml")
    source = beside if beside.exists() else SHIPPED / f"{content['scheme']}.yaml"
    scheme = read_scheme_text(source.read_text(), name=source.name)
    assert scheme.code == content["scheme"]
    return [_case(scheme, case.get("year", content["year"]), case) for case in content["cases"]]


def _case(scheme: Scheme, year: int, case: dict[str, Any]) -> Case:
    people = case.get("people", [case])
    residents = tuple(_resident(index, person) for index, person in enumerate(people))
    zone = ZoneInfo(scheme.time_zone)
    entries: list[Entry] = []
    for resident, person in zip(residents, people, strict=True):
        for purchase in person.get("purchases", []):
            for _ in range(purchase.get("times", 1)):
                entries += _entries(resident.ref, len(entries), purchase, year, zone)
    return Case(f"{scheme.code}: {case['name']}", scheme, year, residents, tuple(entries))


def _resident(index: int, person: dict[str, Any]) -> Resident:
    ref = uuid5(NAMES, f"resident {person.get('ref', index)}")
    months: list[UUID | None] = [None] * 12 if "households" in person else [ref] * 12
    for name, (first, last) in person.get("households", {}).items():
        household = ref if name == "alone" else uuid5(NAMES, f"household {name}")
        months[first - 1 : last] = [household] * (last - first + 1)
    return Resident(ref, tuple(months), person.get("attributes", {}), person["refund"], person.get("at_cap", False))


def _entries(ref: UUID, sale_id: int, purchase: dict[str, Any], year: int, zone: ZoneInfo) -> list[Entry]:
    if "month" in purchase:
        at = datetime(year, purchase["month"], 15, 12, tzinfo=zone)
    else:
        at = datetime.fromisoformat(purchase["at"])
    sold = _amounts(purchase, purchase["amount"])
    returns = [_amounts(purchase, returned) for returned in purchase.get("returned", [])]
    changes = [sold, *({tier: -amount for tier, amount in returned.items()} for returned in returns)]
    return [Entry(ref, sale_id, at.astimezone(UTC), change) for change in changes]


def _amounts(purchase: dict[str, Any], amount: int | dict[str, int]) -> dict[str, int]:
    return amount if isinstance(amount, dict) else {purchase["tier"]: amount}


def people_of(case: Case) -> list[Person]:
    """The case's residents as the engine takes them: the year's purchases as what is left of them, added up."""
    zone = ZoneInfo(case.scheme.time_zone)
    by_resident: dict[UUID, list[Entry]] = defaultdict(list)
    for entry in case.entries:
        if entry.sold_at.astimezone(zone).year == case.year:
            by_resident[entry.resident_ref].append(entry)
    return [_person(case, resident, by_resident[resident.ref], zone) for resident in case.residents]


def _person(case: Case, resident: Resident, entries: Iterable[Entry], zone: ZoneInfo) -> Person:
    spend: dict[str, list[int]] = defaultdict(lambda: [0] * 12)
    bases: dict[str, list[int]] = defaultdict(lambda: [0] * 12)
    purchases = [0] * 12
    left: dict[tuple[int, int], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for entry in entries:
        for tier, amount in entry.amounts_minor.items():
            left[entry.sale_id, entry.sold_at.astimezone(zone).month][tier] += amount
    for (_, month), amounts in left.items():
        purchases[month - 1] += any(amount > 0 for amount in amounts.values())
        _add(spend, month, amounts)
        if case.scheme.refund.purchase:
            _add(
                bases,
                month,
                bases_of(case.scheme.refund.purchase, shares_of_month(case.scheme, case.year, month), amounts),
            )
    return Person(resident.ref, spend, bases, purchases, resident.households, resident.attributes)


def _add(months: dict[str, list[int]], month: int, amounts: Mapping[str, int]) -> None:
    for tier, amount in amounts.items():
        months[tier][month - 1] += amount


def play(case: Case) -> list[tuple[int, bool]]:
    """What the engine gives each resident: the refund, and whether at the cap."""
    found = assess_group(people_of(case), rules_of(case.scheme, case.year))
    return [(assessment.refund_minor, assessment.at_cap) for assessment in found]

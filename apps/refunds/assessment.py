"""The refund: from what a resident spent in a year to an amount and why. Pure, exact, the first way of two.

Residents whose refunds depend on each other, through a household, are assessed together as a group; most groups are one
resident. The rules, step by step, are docs/refund-rules.md.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Final, NamedTuple, TypeGuard
from uuid import UUID

from apps.kernel.errors import KanpuError
from apps.refunds.rules import Rules
from apps.refunds.sharing import prorated, shares_of
from apps.schemes.document import Cap, Condition, Limit

MONTHS: Final = range(12)
LEVELS: Final = (("month", 1), ("half_year", 6), ("year", 12))  # name, months a period
NOTHING: Final = (0,) * 12


class NoRate(KanpuError):
    """There is spend on a tier in a month in which it has no rate."""

    code = "no_rate"


@dataclass(frozen=True, slots=True)
class Person:
    """A resident's year: twelve amounts a tier, in minor units, tax included, as what is left of purchases.

    `bases` is what single purchases bring and `purchases` how many there are, where the scheme asks for it.
    `households` has the household of each month, None where not resident; who is in none has the own `ref`.
    """

    ref: UUID
    spend: Mapping[str, Sequence[int]]
    bases: Mapping[str, Sequence[int]] = field(default_factory=dict)
    purchases: Sequence[int] = NOTHING
    households: tuple[UUID | None, ...] = ()
    attributes: Mapping[str, int | str] = field(default_factory=dict)


class Cut(NamedTuple):
    """What a rule took away: `rule` is its place among the limits, or −1, −2 … for the conditions of eligibility.

    `period` counts that level's periods from 1; `before` and `after` are in units of the rules' denominator.
    """

    rule: int
    period: int
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Assessment:
    """A resident's refund for a year, with what was spent on each of the rules' lines and, if measured, what it brings.

    `brought` and `left` are what comes back before and after eligibility and limits, in units of the denominator.
    """

    spend_minor: tuple[int, ...]
    bases_minor: tuple[int, ...] | None
    brought: int
    cuts: tuple[Cut, ...]
    left: int
    refund_minor: int
    at_cap: bool


class Part(NamedTuple):
    """What one resident (by place in the group) has in one household in one period (from 0)."""

    person: int
    household: UUID
    period: int


@dataclass(slots=True)
class _Group:
    """A group while it is assessed: what each part is worth, and what was cut."""

    people: Sequence[Person]
    rules: Rules
    parts: dict[Part, int] = field(default_factory=dict)
    cuts: dict[int, list[Cut]] = field(default_factory=lambda: defaultdict(list))
    at_cap: set[int] = field(default_factory=set)


def assess(person: Person, rules: Rules) -> Assessment:
    """The refund of a resident whom no household ties to others. Raises NoRate."""
    return assess_group([person], rules)[0]


def assess_group(people: Sequence[Person], rules: Rules) -> list[Assessment]:
    """The refunds of residents who share households, in order: all members, whoever spent nothing too. Raises NoRate.

    Their order decides nothing: what is equal is decided by reference.
    """
    order = sorted(range(len(people)), key=lambda i: people[i].ref)
    group = _Group([_while_resident(people[i]) for i in order], rules)
    brought = [_bring(group, index) for index in range(len(people))]
    for level, months in LEVELS:
        group.parts = _regrouped(group.parts, 1 if level == "month" else 6 if level == "half_year" else 2)
        for index, limit in enumerate(rules.refund.limits):
            if limit.per == level:
                _apply(group, index, limit, months)
    found = dict(zip(order, _rounded(group, brought), strict=True))
    return [found[i] for i in range(len(people))]


def _while_resident(person: Person) -> Person:
    """The same without the months outside residence, which are not counted at all."""
    if None not in person.households:
        return person

    def inside(months: Sequence[int]) -> list[int]:
        return [0 if home is None else value for value, home in zip(months, person.households, strict=True)]

    return replace(
        person,
        spend={tier: inside(months) for tier, months in person.spend.items()},
        bases={tier: inside(months) for tier, months in person.bases.items()},
        purchases=inside(person.purchases),
    )


def _bring(group: _Group, index: int) -> int:
    """Put what a resident's months bring into parts, nothing where not eligible. Returns what they bring in all."""
    person, rules = group.people[index], group.rules
    months = _months_brought(person, rules)
    whole = sum(months)
    failed = next((i for i, c in enumerate(rules.refund.eligibility) if not is_met(c, person.attributes)), None)
    if failed is not None and whole:
        group.cuts[index].append(Cut(-1 - failed, 1, whole, 0))
    for month in MONTHS:
        household = household_of(person, month)
        if household is not None:
            group.parts[Part(index, household, month)] = 0 if failed is not None else months[month]
    return whole


def household_of(person: Person, month: int) -> UUID | None:
    """Whose household the resident is in (the own reference where in none), None where not resident."""
    return person.households[month] if person.households else person.ref


def _months_brought(person: Person, rules: Rules) -> list[int]:
    months = [0] * 12
    for tier, amounts in person.spend.items():
        bases = person.bases.get(tier, NOTHING)
        for month, amount in enumerate(amounts):
            if amount:
                line = _line(rules, tier, month)
                months[month] += bases[month] if rules.refund.purchase else amount * rules.numerators[line]
    return months


def _line(rules: Rules, tier: str, month: int) -> int:
    try:
        return rules.line_of[tier, month + 1]
    except KeyError:
        raise NoRate(f"The scheme has no rate for the tier {tier!r} in month {month + 1}.") from None


def is_met(condition: Condition, attributes: Mapping[str, int | str]) -> bool:
    """Whether a resident's attributes meet a condition of eligibility; one that is missing does not."""
    value = attributes.get(condition.attribute)
    if is_number(value):
        return (condition.at_most is not None and value <= condition.at_most) or (
            condition.at_least is not None and value >= condition.at_least
        )
    return value is not None and value == condition.equals


def is_number(value: object) -> TypeGuard[int]:
    """Whether an attribute's value is a whole number: true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def _regrouped(parts: Mapping[Part, int], periods: int) -> dict[Part, int]:
    """The parts of a level, each `periods` of them added up to one of the next."""
    longer: dict[Part, int] = defaultdict(int)
    for part, worth in parts.items():
        longer[Part(part.person, part.household, part.period // periods)] += worth
    return longer


def _apply(group: _Group, rule: int, limit: Limit, months: int) -> None:
    units: dict[tuple[int | UUID, int], list[Part]] = defaultdict(list)
    for part in sorted(group.parts, key=lambda part: (part.person, part.household)):
        units[part.person if limit.unit == "person" else part.household, part.period].append(part)
    for parts in units.values():
        if limit.cap:
            _cap(group, rule, parts, _cap_minor(group, limit, limit.cap, parts, months) * group.rules.denominator)
        elif not _is_reached(group, limit, parts, months):
            _cut(group, rule, parts, [0] * len(parts))


def _cap(group: _Group, rule: int, parts: Sequence[Part], cap: int) -> None:
    worth = [group.parts[part] for part in parts]
    if sum(worth) >= cap:
        group.at_cap.update(part.person for part in parts if group.parts[part] > 0)
    if sum(worth) > cap:
        shares = shares_of(cap // group.rules.denominator, worth)
        _cut(group, rule, parts, [share * group.rules.denominator for share in shares])


def _cut(group: _Group, rule: int, parts: Sequence[Part], after: Sequence[int]) -> None:
    changed: dict[int, list[int]] = {}
    for part, left in zip(parts, after, strict=True):
        before_after = changed.setdefault(part.person, [0, 0])
        before_after[0] += group.parts[part]
        before_after[1] += left
        group.parts[part] = left
    for person, (before, left) in changed.items():
        if before != left:
            group.cuts[person].append(Cut(rule, parts[0].period + 1, before, left))


def _cap_minor(group: _Group, limit: Limit, cap: Cap, parts: Sequence[Part], months: int) -> int:
    if limit.unit != "members":
        return max(_amount(cap, group.people[part.person]) for part in parts)
    return sum(_member_cap(cap, group.people[part.person], part, months) for part in parts)


def _member_cap(cap: Cap, person: Person, part: Part, months: int) -> int:
    """What a member brings to the household's cap: a part by months for who moved."""
    of_period = range(part.period * months, (part.period + 1) * months)
    resident = [home for month in of_period if (home := household_of(person, month)) is not None]
    here = [position for position, home in enumerate(resident, start=1) if home == part.household]
    return prorated(_amount(cap, person), here, len(resident))


def _amount(cap: Cap, person: Person) -> int:
    if cap.attribute is None:
        return cap.amount or 0
    value = person.attributes.get(cap.attribute, 0)
    return max(value, 0) if is_number(value) else 0


def _is_reached(group: _Group, limit: Limit, parts: Sequence[Part], months: int) -> bool:
    purchases = amount = 0
    for part in parts:
        person = group.people[part.person]
        for month in range(part.period * months, (part.period + 1) * months):
            if household_of(person, month) == part.household:
                purchases += person.purchases[month]
                amount += sum(amounts[month] for amounts in person.spend.values())
    least = limit.at_least
    return least is None or (purchases >= (least.purchases or 0) and amount >= (least.amount or 0))


def _rounded(group: _Group, brought: Sequence[int]) -> list[Assessment]:
    refunds: dict[int, int] = defaultdict(int)
    for parts in _round_together(group):
        left = sum(group.parts[part] for part in parts)
        whole = group.rules.round(Fraction(max(left, 0), group.rules.denominator))
        shares = shares_of(whole, [group.parts[part] for part in parts]) if group.rules.pools else [whole]
        for part, share in zip(parts, shares, strict=False):
            refunds[part.person] += share
    return [_assessment(group, index, brought[index], refunds[index]) for index in range(len(group.people))]


def _round_together(group: _Group) -> list[list[Part]]:
    """The year's parts that are rounded as one: a household's where limits pool, else a resident's."""
    units: dict[int | UUID, list[Part]] = defaultdict(list)
    for part in sorted(group.parts, key=lambda part: (part.person, part.household)):
        units[part.household if group.rules.pools else part.person].append(part)
    return list(units.values())


def _assessment(group: _Group, index: int, brought: int, refund_minor: int) -> Assessment:
    person, rules = group.people[index], group.rules
    left = sum(worth for part, worth in group.parts.items() if part.person == index)
    cuts = tuple(sorted(group.cuts.get(index, ())))
    return Assessment(
        spend_minor=_by_line(person.spend, rules),
        bases_minor=_by_line(person.bases, rules) if rules.refund.purchase else None,
        brought=brought,
        cuts=cuts,
        left=left,
        refund_minor=refund_minor,
        at_cap=index in group.at_cap,
    )


def _by_line(of_tier: Mapping[str, Sequence[int]], rules: Rules) -> tuple[int, ...]:
    return tuple(sum(of_tier.get(line.tier, NOTHING)[line.first_month - 1 : line.last_month]) for line in rules.lines)

"""What another scheme would have given in a recorded year, next to the scheme in force. Pure, exact.

Residents come one after the other and only three numbers of each are kept; everything else is a sum. What is bought is
taken as recorded, whatever the scheme.
"""

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Final, NamedTuple

from apps.kernel.errors import KanpuError
from apps.kernel.rounding import half_up
from apps.refunds.assessment import Assessment, Person, assess_group
from apps.refunds.rules import Rules
from apps.schemes.document import Scheme, Words

DECILES: Final = 10


class NothingRecorded(KanpuError):
    """Nothing was bought in the year, so that there is nothing to compute with."""

    code = "nothing_recorded"


class OfTier(NamedTuple):
    """What was spent on a recorded tier, and exactly what that brings under one scheme before conditions and limits."""

    tier: str
    spend_minor: int
    brought: Fraction


@dataclass(frozen=True, slots=True)
class Outcome:
    """A scheme's cost and who is paid. What the tiers bring − `limited` + `rounded` = `cost_minor`, exactly.

    `paid` counts refunds above 0. Mean and median are of all who bought something, to the nearest minor unit.
    `limited` is what conditions, thresholds and caps take away; `rounded` is what rounding adds or takes, and what
    refunds that would be below 0 are above it.
    """

    cost_minor: int
    paid: int
    at_cap: int
    mean_minor: int
    median_minor: int
    tiers: tuple[OfTier, ...]
    limited: Fraction
    rounded: Fraction


class Decile(NamedTuple):
    """A tenth of those who bought something, by what they spent in the year: from `from_minor` to `to_minor`.

    Of each scheme the cost of the tenth, and the mean refund to the nearest minor unit. Tenths differ in size by one
    resident at most.
    """

    number: int
    residents: int
    from_minor: int
    to_minor: int
    in_force_minor: int
    other_minor: int
    in_force_mean_minor: int
    other_mean_minor: int


class Changed(NamedTuple):
    """Residents whose refunds change in one direction: how many, by how much together, and the largest change."""

    residents: int
    sum_minor: int
    largest_minor: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Another scheme next to the one in force. Sums of gainers − sums of losers = difference in cost."""

    residents: int
    spend_minor: int
    in_force: Outcome
    other: Outcome
    deciles: tuple[Decile, ...]
    gainers: Changed
    losers: Changed
    unchanged: int

    @property
    def difference_minor(self) -> int:
        """What the other scheme costs more."""
        return self.other.cost_minor - self.in_force.cost_minor


@dataclass(frozen=True, slots=True)
class WhatIf:
    """A comparison and what it is made from: `other` is the scheme as adapted to the year, `notes` what is assumed."""

    year: int
    run: int
    in_force: Scheme
    other: Scheme
    comparison: Comparison
    notes: tuple[Words, ...]


@dataclass(slots=True)
class _Side:
    """One scheme's sums while residents come."""

    rules: Rules
    refunds: "array[int]" = field(default_factory=lambda: array("q"))
    spend: list[int] = field(init=False)
    brought: list[int] = field(init=False)  # in units of the rules' denominator
    left: int = 0
    at_cap: int = 0

    def __post_init__(self) -> None:
        self.spend = [0] * len(self.rules.lines)
        self.brought = [0] * len(self.rules.lines)

    def add(self, found: Assessment) -> None:
        self.refunds.append(found.refund_minor)
        self.left += found.left
        self.at_cap += found.at_cap
        for line, spend in enumerate(found.spend_minor):
            self.spend[line] += spend
            base = found.bases_minor[line] if found.bases_minor is not None else spend * self.rules.numerators[line]
            self.brought[line] += base


def compare(
    groups: Iterable[tuple[Sequence[Person], Sequence[Person]]],
    in_force: Rules,
    other: Rules,
    *,
    seen: Callable[[int], None] = lambda _: None,
) -> Comparison:
    """Both schemes' refunds for groups of residents, each as either scheme measures their purchases, in one order.

    `seen` is told after each group how many residents are done. Raises NoRate, NothingRecorded.
    """
    sides = _Side(in_force), _Side(other)
    spend = array("q")
    for people, measured in groups:
        both = zip(assess_group(people, in_force), assess_group(measured, other), strict=True)
        for person, (one, two) in zip(people, both, strict=True):
            if person.spend:
                spend.append(sum(one.spend_minor))
                sides[0].add(one)
                sides[1].add(two)
        seen(len(spend))
    if not spend:
        raise NothingRecorded("Nothing was counted in the year yet: there is nothing to compute with.")
    return _comparison(spend, *sides)


def remeasured(person: Person, bases: dict[str, list[int]], purchases: Sequence[int]) -> Person:
    """The same resident with the purchases as another scheme measures them."""
    return replace(person, bases=bases, purchases=purchases)


def _comparison(spend: "array[int]", in_force: _Side, other: _Side) -> Comparison:
    changes = array("q", (after - before for before, after in zip(in_force.refunds, other.refunds, strict=True)))
    return Comparison(
        residents=len(spend),
        spend_minor=sum(spend),
        in_force=_outcome(in_force),
        other=_outcome(other),
        deciles=_deciles(spend, in_force.refunds, other.refunds),
        gainers=_changed(changes, 1),
        losers=_changed(changes, -1),
        unchanged=changes.count(0),
    )


def _outcome(side: _Side) -> Outcome:
    cost, denominator = sum(side.refunds), side.rules.denominator
    return Outcome(
        cost_minor=cost,
        paid=len(side.refunds) - side.refunds.count(0),
        at_cap=side.at_cap,
        mean_minor=half_up(Fraction(cost, len(side.refunds))),
        median_minor=_median(side.refunds),
        tiers=_tiers(side),
        limited=Fraction(sum(side.brought) - side.left, denominator),
        rounded=cost - Fraction(side.left, denominator),
    )


def _tiers(side: _Side) -> tuple[OfTier, ...]:
    tiers: dict[str, OfTier] = {}
    for line, spend, brought in zip(side.rules.lines, side.spend, side.brought, strict=True):
        known = tiers.get(line.tier, OfTier(line.tier, 0, Fraction(0)))
        more = Fraction(brought, side.rules.denominator)
        tiers[line.tier] = OfTier(line.tier, known.spend_minor + spend, known.brought + more)
    return tuple(tiers.values())


def _median(amounts: "array[int]") -> int:
    ordered = sorted(amounts)
    middle = len(ordered) // 2
    return half_up(Fraction(ordered[middle] + ordered[~middle], 2))


def _deciles(spend: "array[int]", in_force: "array[int]", other: "array[int]") -> tuple[Decile, ...]:
    """By spend; of equal spend the smaller refunds come first, so that the order of residents decides nothing."""
    order = list(range(len(spend)))
    for column in (other, in_force, spend):  # each sort keeps what the one before put in order
        order.sort(key=column.__getitem__)
    edges = [len(order) * edge // DECILES for edge in range(DECILES + 1)]
    return tuple(
        _decile(number, order[edges[number - 1] : edges[number]], spend, in_force, other)
        for number in range(1, DECILES + 1)
        if edges[number] > edges[number - 1]
    )


def _decile(
    number: int, places: Sequence[int], spend: "array[int]", in_force: "array[int]", other: "array[int]"
) -> Decile:
    before, after = sum(in_force[place] for place in places), sum(other[place] for place in places)
    return Decile(
        number=number,
        residents=len(places),
        from_minor=spend[places[0]],
        to_minor=spend[places[-1]],
        in_force_minor=before,
        other_minor=after,
        in_force_mean_minor=half_up(Fraction(before, len(places))),
        other_mean_minor=half_up(Fraction(after, len(places))),
    )


def _changed(changes: "array[int]", direction: int) -> Changed:
    residents = total = largest = 0
    for change in changes:
        if (amount := change * direction) > 0:
            residents, total, largest = residents + 1, total + amount, max(largest, amount)
    return Changed(residents, total, largest)

"""From opened and judged purchases to entries and totals. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Final, NamedTuple, TypeAlias
from uuid import UUID

from apps.accruals.measuring import Measure, Measured, measured
from apps.purchases.ranges import Ranges, contains

ALL_TIERS: Final = ""  # the total of all tiers, in which a purchase counts once


class Counted(NamedTuple):
    """What one record changes in a resident's account: all of a sale, or what a follow-up changes of its sale.

    Time and month are the sale's; `of_terminal_id` and `of_seq` name the sale of a follow-up. `purchases` says, per
    tier, by how many the purchases with something left of that tier grow. `measured` goes to the totals only.
    """

    resident_ref: UUID
    tax_year: int
    terminal_id: int
    seq: int
    run: int
    part: int
    month: int
    at: datetime
    card: int | None
    counter: int | None
    kind: str
    of_terminal_id: int | None
    of_seq: int | None
    tiers: tuple[str, ...]
    amounts_minor: tuple[int, ...]
    purchases: tuple[int, ...]
    measured: Measured | None = None


# What names a total: resident_ref as a number, tax_year, run, tier. Sorted by it, totals are locked in one order.
TotalKey: TypeAlias = tuple[int, int, int, str]


class Tally(NamedTuple):
    """What some entries add to a month of a total. `base_minor` is None where purchases are not taken one by one."""

    amount_minor: int = 0
    purchases: int = 0
    base_minor: int | None = None


def tally(counted: Iterable[Counted]) -> list[tuple[TotalKey, dict[int, Tally]]]:
    """What these purchases add to the months (1 to 12) of totals, sorted by key."""
    totals: dict[TotalKey, dict[int, Tally]] = {}
    for entry in counted:
        resident, tax_year, run, month = entry.resident_ref.int, entry.tax_year, entry.run, entry.month
        for tier, added in _added(entry):
            months = totals.setdefault((resident, tax_year, run, tier), {})
            months[month] = _sum(months[month], added) if month in months else added
    return sorted(totals.items(), key=itemgetter(0))


def _added(entry: Counted) -> Iterator[tuple[str, Tally]]:
    for tier, amount_minor, purchases in zip(entry.tiers, entry.amounts_minor, entry.purchases, strict=True):
        yield tier, Tally(amount_minor, purchases)
    if entry.measured:
        yield ALL_TIERS, Tally(sum(entry.amounts_minor), entry.measured.purchases)
        for tier, base_minor in (entry.measured.bases_minor or {}).items():
            yield tier, Tally(base_minor=base_minor)


def _sum(one: Tally, other: Tally) -> Tally:
    base_minor = one.base_minor
    if other.base_minor is not None:
        base_minor = other.base_minor + (base_minor or 0)
    return Tally(one.amount_minor + other.amount_minor, one.purchases + other.purchases, base_minor)


class Line(NamedTuple):
    """An entry, as far as totals depend on it. `sale` is the terminal and number of the purchase it belongs to."""

    sale: tuple[int, int]
    at: datetime
    run: int
    month: int
    tiers: Sequence[str]
    amounts_minor: Sequence[int]


@dataclass(slots=True)
class YearTotal:
    """Twelve months of a total, January first. `bases_minor` is None where purchases are not taken one by one."""

    amounts_minor: list[int]
    purchases: list[int]
    bases_minor: list[int] | None


def rebuilt(lines: Iterable[Line], measure: Measure | None) -> dict[tuple[int, str], YearTotal]:
    """The totals that one resident's entries of a year come to, by run and tier, in whatever order they are given.

    Only their amounts are used: what is left of a purchase after a run, less what was left before it.
    """
    totals: dict[tuple[int, str], YearTotal] = {}
    for _, of_purchase in groupby(sorted(lines, key=attrgetter("sale", "at", "run")), key=attrgetter("sale", "at")):
        left: dict[str, int] = {}
        for (run, month), of_run in groupby(of_purchase, key=attrgetter("run", "month")):
            before, touched = dict(left), set[str]()
            for line in of_run:
                touched.update(line.tiers)
                for tier, amount_minor in zip(line.tiers, line.amounts_minor, strict=True):
                    left[tier] = left.get(tier, 0) + amount_minor
            for tier in touched:
                was, now = before.get(tier, 0), left[tier]
                _add(totals, measure, (run, tier), month, Tally(now - was, (now > 0) - (was > 0)))
            if measure:
                _add_measured(totals, measure, (run, month), before, left)
    return totals


def _add_measured(
    totals: dict[tuple[int, str], YearTotal],
    measure: Measure,
    place: tuple[int, int],
    before: Mapping[str, int],
    left: Mapping[str, int],
) -> None:
    run, month = place
    change = measured(measure, month, before, left)
    of_all = Tally(sum(left.values()) - sum(before.values()), change.purchases)
    _add(totals, measure, (run, ALL_TIERS), month, of_all)
    for tier, base_minor in (change.bases_minor or {}).items():
        _add(totals, measure, (run, tier), month, Tally(base_minor=base_minor))


def _add(
    totals: dict[tuple[int, str], YearTotal], measure: Measure | None, key: tuple[int, str], month: int, added: Tally
) -> None:
    has_bases = measure is not None and measure.rule is not None and key[1] != ALL_TIERS
    total = totals.setdefault(key, YearTotal([0] * 12, [0] * 12, [0] * 12 if has_bases else None))
    total.amounts_minor[month - 1] += added.amount_minor
    total.purchases[month - 1] += added.purchases
    if total.bases_minor is not None:
        total.bases_minor[month - 1] += added.base_minor or 0


def first_uses(taps: Iterable[tuple[int, int]], used_before: Mapping[int, Ranges]) -> list[bool]:
    """For each (card, counter), in order, whether it is that counter's first counted use.

    `used_before` has each card's used counters.
    """
    seen: set[tuple[int, int]] = set()
    first = []
    for tap in taps:
        card, counter = tap
        first.append(tap not in seen and not (card in used_before and contains(used_before[card], counter)))
        seen.add(tap)
    return first

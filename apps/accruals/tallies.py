"""From opened and judged purchases to entries and totals. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Final, NamedTuple
from uuid import UUID

from apps.accruals.measuring import Measure, Measured, measured

ALL_TIERS: Final = ""  # the total of all tiers, in which a purchase counts once


@dataclass(frozen=True, slots=True)
class Counted:
    """What one record changes in a resident's account: all of a sale, or what a follow-up changes of its sale.

    Time and month are the sale's; `of_terminal_id` and `of_seq` name the sale of a follow-up. To the totals only go
    `purchases`, by how many the purchases with something left of each tier grow, and `measured`.
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


class CellKey(NamedTuple):
    """A month of a total. Sorted by this key, totals are locked in one order by all workers."""

    resident_ref: UUID
    tax_year: int
    run: int
    tier: str
    month: int


class Tally(NamedTuple):
    """What some entries add to a month of a total. `base_minor` is None where purchases are not taken one by one."""

    amount_minor: int = 0
    purchases: int = 0
    base_minor: int | None = None


def tally(counted: Iterable[Counted]) -> dict[CellKey, Tally]:
    """What these purchases add to the totals, sorted by key."""
    sums: dict[CellKey, int] = defaultdict(int)
    counts: dict[CellKey, int] = defaultdict(int)
    bases: dict[CellKey, int] = defaultdict(int)
    for entry in counted:
        of = entry.resident_ref, entry.tax_year, entry.run
        for tier, amount_minor, purchases in zip(entry.tiers, entry.amounts_minor, entry.purchases, strict=True):
            key = CellKey(*of, tier, entry.month)
            sums[key] += amount_minor
            counts[key] += purchases
        if entry.measured:
            key = CellKey(*of, ALL_TIERS, entry.month)
            sums[key] += sum(entry.amounts_minor)
            counts[key] += entry.measured.purchases
            for tier, base_minor in (entry.measured.bases_minor or {}).items():
                bases[CellKey(*of, tier, entry.month)] += base_minor
    return {key: Tally(sums.get(key, 0), counts.get(key, 0), bases.get(key)) for key in sorted(sums.keys() | bases)}


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


def first_uses(taps: Iterable[tuple[int, int]], used_before: Mapping[int, Iterable[tuple[int, int]]]) -> list[bool]:
    """For each (card, counter), in order, whether it is that counter's first counted use.

    `used_before` has each card's used counters as half-open ranges.
    """
    seen: set[tuple[int, int]] = set()
    first = []
    for card, counter in taps:
        fresh = (card, counter) not in seen and not any(low <= counter < end for low, end in used_before.get(card, ()))
        seen.add((card, counter))
        first.append(fresh)
    return first

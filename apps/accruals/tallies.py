"""From opened and judged purchases to entries and totals. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Counted:
    """One purchase that counts for a resident."""

    resident_ref: UUID
    tax_year: int
    terminal_id: int
    seq: int
    run: int
    part: int
    month: int
    at: datetime
    card: int
    counter: int
    tiers: tuple[str, ...]
    amounts_minor: tuple[int, ...]


class TotalKey(NamedTuple):
    """What a total is of. Sorted by this key, totals are locked in one order by all workers."""

    resident_ref: UUID
    tax_year: int
    run: int
    month: int
    tier: str


class Tally(NamedTuple):
    """What one batch of counted purchases adds to a total."""

    amount_minor: int
    purchases: int


class SentLine(NamedTuple):
    """The fields of a purchase's canonical line that counting needs; `token` or `claim` or both are empty."""

    token: str
    claim: str
    tiers: tuple[str, ...]
    amounts_minor: tuple[int, ...]


def read_line(line: str) -> SentLine:
    """Split a canonical line (see purchases) into its fields."""
    _seq, _at, _kind, card_or_claim, _of, amounts = line.split("\n")
    pairs = [pair.split("=") for pair in amounts.split(",")]
    is_token = card_or_claim.startswith("kt1.")
    return SentLine(
        token=card_or_claim if is_token else "",
        claim="" if is_token or card_or_claim == "-" else card_or_claim,
        tiers=tuple(tier for tier, _ in pairs),
        amounts_minor=tuple(int(amount) for _, amount in pairs),
    )


def tally(counted: Iterable[Counted]) -> dict[TotalKey, Tally]:
    """What these purchases add to the totals, sorted by key."""
    sums: dict[TotalKey, int] = defaultdict(int)
    counts: dict[TotalKey, int] = defaultdict(int)
    for entry in counted:
        for tier, amount_minor in zip(entry.tiers, entry.amounts_minor, strict=True):
            key = TotalKey(entry.resident_ref, entry.tax_year, entry.run, entry.month, tier)
            sums[key] += amount_minor
            counts[key] += 1
    return {key: Tally(sums[key], counts[key]) for key in sorted(sums)}


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

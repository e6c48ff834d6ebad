"""What the generator knows of its year, to compare the system with: it shares no code with either assessment. Pure."""

from array import array
from dataclasses import dataclass, field
from typing import Any, Final

from bench.year.purchases import Event
from bench.year.sample import TIERS

CAP_MINOR: Final = 4_000  # of jp-2015, a person and year


@dataclass(slots=True)
class Ledger:
    """Counts, and each resident's spend on each tier in yen after cancellations."""

    residents: int
    sales: int = 0
    voids: int = 0
    returns: int = 0
    spend: dict[str, "array[int]"] = field(default_factory=dict)
    taps: "array[int]" = field(default_factory=lambda: array("I"))

    def __post_init__(self) -> None:
        self.spend = {tier: array("q", bytes(8 * self.residents)) for tier in TIERS}
        self.taps = array("I", bytes(4 * self.residents))

    def add(self, event: Event) -> None:
        """Book an event. A void takes all of its sale, a return what it says."""
        sign = 1 if event.kind == "sale" else -1
        for tier, amount in event.amounts:
            self.spend[tier][event.resident] += sign * amount
        if event.kind == "sale":
            self.sales += 1
            self.taps[event.resident] += 1
        elif event.kind == "void":
            self.voids += 1
        else:
            self.returns += 1

    def totals(self) -> dict[str, Any]:
        """Sums over residents: what the database must show after the year end."""
        refunds = [refund_minor(spend) for spend in self.spend["reduced"]]
        return {
            "sales": self.sales,
            "voids": self.voids,
            "returns": self.returns,
            "entries": self.sales + self.voids + self.returns,
            "buyers": sum(1 for taps in self.taps if taps),
            "spend_minor": {tier: sum(self.spend[tier]) for tier in TIERS},
            "refund_minor": sum(refunds),
            "refunded": sum(1 for refund in refunds if refund),
        }


def refund_minor(reduced_minor: int) -> int:
    """The refund of jp-2015 in plain integers: 2/110 of the reduced spend, without fractions, from ¥1 to ¥4,000.

    Source: the scheme's file; 国税通則法 article 120.
    """
    if reduced_minor <= 0:
        return 0
    return min(max(reduced_minor * 2 // 110, 1), CAP_MINOR)


def added(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """The totals of all regions together."""
    whole: dict[str, Any] = {}
    for part in parts:
        for name, value in part.items():
            if isinstance(value, dict):
                whole[name] = added([whole.get(name, {}), value])
            else:
                whole[name] = whole.get(name, 0) + value
    return whole

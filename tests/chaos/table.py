"""What happened, as a table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.chaos.__main__ import Sold
    from tests.chaos.checking import Found, Told
    from tests.chaos.finale import Ended


@dataclass(frozen=True, slots=True)
class Played:
    """All that was done and found."""

    kills: Mapping[str, int]
    sold: "Sold"
    told: "Told"
    found: "Found"
    ended: "Ended"
    paid: Mapping[str, Any]


def table(played: Played, *, seed: int, elapsed_s: float, cpu_s: float) -> str:
    """Kills, other faults, and what came of it, one a line."""
    sold, told, found, paid = played.sold, played.told, played.found, played.paid
    kills = {**played.kills, **{f"year end: {step}": n for step, n in sorted(played.ended.kills.items())}}
    kills |= {f"paying: {name}": count for name, count in paid["kills"].items()}
    faults = {**sold.faults, **told.faults, "file sent to the bank again": paid["files_sent_again"]}
    outcome = {
        "purchases and returns rung up": found.purchases, "records acknowledged": found.acknowledged,
        "acknowledgements": told.acknowledgements, "refused, their clock being wrong": found.refused,
        "purchases counted": found.counted, "spend, yen": found.spend_minor, "audit log entries": found.log_entries,
        "refunds paid": paid["obligations"], "yen paid": paid["paid_minor"],
        "answers to rubbish": ", ".join(f"{n} × {code}" for code, n in sorted(sold.poison_answers.items())),
        "LOST": found.lost, "DOUBLED": found.doubled,
    }  # fmt: skip
    parts = [("killed", kills), ("other faults", faults), ("came of it", outcome)]
    total = f"{sum(kills.values()):,} kills, {sum(faults.values()):,} other faults"
    lines = [f"seed {seed}: {total}, in {elapsed_s:.0f} s, {cpu_s:.0f} s of a processor"]
    for title, rows in parts:
        lines += ["", title, *(_line(name, value) for name, value in rows.items())]
    return "\n".join(lines)


def _line(name: str, value: object) -> str:
    return f"  {name:<36}{value:>12,}" if isinstance(value, int) else f"  {name:<36}{value}"

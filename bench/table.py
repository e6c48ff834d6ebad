"""What a bench found, beside what was aimed at: as JSON to compare with, as a table to read."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

Figures = Mapping[str, int | float]


class Goal(NamedTuple):
    """A figure, what it says, and its bound: the least it may be, or, with `at_most`, the most."""

    name: str
    what: str
    bound: float | None = None
    at_most: bool = False

    def is_met(self, value: float) -> bool | None:
        """Whether a value keeps the bound; None without one."""
        if self.bound is None:
            return None
        return value <= self.bound if self.at_most else value >= self.bound

    @property
    def bound_text(self) -> str:
        """The bound in words."""
        return "" if self.bound is None else f"{'≤' if self.at_most else '≥'} {self.bound:,}"


GOALS: Final = (
    Goal("accept_per_s", "purchases accepted, 100 a request: authenticated, sealed, idempotent, durable", 60_000),
    Goal("typical_per_s", "the same as it is usually written: a serializer with many=True, bulk_create"),
    Goal("bare_per_s", "the least: a view that decodes, and one idempotent INSERT"),
    Goal("accept_to_typical", "accepted, as a multiple of the usual", 5),
    Goal("accept_to_bare", "accepted, as a share of the least", 0.6),
    Goal("accept_p99_ms", "99 of 100 requests answered within, at half the rate of accepting", 50, at_most=True),
    Goal("single_p99_ms", "the same with one purchase a request, 200 requests a second", 20, at_most=True),
    Goal("count_per_s", "counted by workers: token opened, card judged, entry and totals written", 21_000),
    Goal("lag_p99_s", "from accepted to counted while 5,000 purchases a second arrive", 2, at_most=True),
    Goal("assess_residents_per_s", "year end: refunds with their lines and steps, from totals", 150_000),
    Goal("bare_sql_residents_per_s", "the least: one SQL pass over the totals that writes nothing"),
    Goal("assess_to_bare", "assessed, as a share of that", 0.3),
    Goal("verify_entries_per_s", "second assessment over the Parquet archive, its digests checked", 10_000_000),
    Goal("page_p99_ms", "a resident's year page with 20 million entries in the database", 50, at_most=True),
    Goal("page_to_empty", "half of the year pages, as a multiple of a view that does nothing"),
    Goal("page_ratio", "that, as a multiple of the same with 200,000 entries", 1.1, at_most=True),
    Goal("bytes_per_purchase", "on disk: purchase, entry, share of totals, indexes included", 600, at_most=True),
    Goal("parquet_bytes_per_purchase", "in the archive", 40, at_most=True),
    Goal("api_rss_mb", "the largest web process ever was, after a million purchases", 200, at_most=True),
    Goal("api_rss_mb_at_first", "the same after the first quarter of them"),
    Goal("worker_rss_mb", "the largest worker process ever was", 200, at_most=True),
    Goal("worker_rss_mb_at_first", "the same after its first round"),
)


def write(path: Path, figures: Figures, *, at: datetime, rounds: int, is_quick: bool) -> None:
    """Keep the figures, and what they were measured on, as JSON."""
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()}
    told = {"at": at.isoformat(timespec="seconds"), "rounds": rounds, "quick": is_quick, **machine}
    path.write_text(json.dumps({**told, "figures": figures}, indent=1) + "\n")


def table(figures: Figures) -> str:
    """The figures in the order of their goals as a Markdown table; those without a goal below."""
    rows: list[Sequence[str]] = [("figure", "what", "goal", "found", ""), ("---", "---", "---", "---:", "---")]
    rows += [_row(goal, figures[goal.name]) for goal in GOALS if goal.name in figures]
    others = figures.keys() - {goal.name for goal in GOALS}
    rows += [(f"`{name}`", "", "", f"{figures[name]:,}", "") for name in figures if name in others]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(goal: Goal, value: float) -> tuple[str, ...]:
    verdict = {True: "met", False: "**not met**", None: ""}[goal.is_met(value)]
    return f"`{goal.name}`", goal.what, goal.bound_text, f"{value:,}", verdict

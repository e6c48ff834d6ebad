"""What everybody may know of the whole: who may see what, how often officers looked, what was refunded, what it costs.

Figures are those that are kept as things happen (months' counts, runs' sums): nothing is counted for the page.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from django.conf import settings
from django.core.cache import cache
from django.utils import timezone

from apps.audit.models import AccessCount
from apps.audit.officers import MAY_OPEN, Role, Thing
from apps.audit.queries.delays import delayed_by_office
from apps.audit.queries.log import checkpoint
from apps.refunds.models import EFFECTIVE, Run
from apps.refunds.queries.runs import PublishedRun, published_runs
from apps.schemes.document import Scheme
from apps.schemes.queries import scheme_of

KEPT_S: Final = 300
FEW: Final = 5  # fewer are not told, as they could point at somebody
MONTHS: Final = 24  # to choose from
ROLES: Final = (Role.CLERK, Role.HELPDESK, Role.AUDITOR, Role.OPERATOR)


class Accesses(NamedTuple):
    """How often officers of an office looked for a purpose in a month; None for fewer than FEW."""

    office: str
    purpose: str
    accesses: int | None


class YearFigures(NamedTuple):
    """A year's approved runs together, in minor units. `residents` and `records` are those of the newest.

    `due_minor` is what they give beside what earlier runs gave too much; `cost_minor` is None where it is not stated.
    """

    year: int
    scheme: Scheme
    runs: int
    residents: int
    records: int
    due_minor: int
    paid_minor: int
    netted_minor: int
    lapsed_minor: int
    cost_minor: int | None

    @property
    def left_minor(self) -> int:
        """What is not settled yet."""
        return self.due_minor - self.paid_minor - self.netted_minor - self.lapsed_minor

    @property
    def cost_each_minor(self) -> int | None:
        """The cost a resident, rounded half up to the minor unit."""
        if self.cost_minor is None or not self.residents:
            return None
        return (2 * self.cost_minor + self.residents) // (2 * self.residents)


@dataclass(frozen=True, slots=True)
class Transparency:
    """All of it. `month` is the one whose accesses are shown, `months` those there are, the newest first.

    `delayed` are the notices to residents that are held back now, by office; `log_size` and `log_at` say how far the
    log of who looked and what was done was signed, and when.
    """

    may: Mapping[Thing, tuple[Role, ...]]
    month: date
    months: tuple[date, ...]
    accesses: tuple[Accesses, ...]
    delayed: Mapping[str, int]
    years: tuple[YearFigures, ...]
    published: tuple[PublishedRun, ...]
    log_size: int
    log_at: datetime | None


def transparency(month: date | None) -> Transparency:
    """The figures, some minutes old at most: six queries, or none while they are kept.

    A month without accesses that is asked for is not kept: anybody can ask for any, and the table has the counters of
    guesses as well, which are thrown out when it is full.
    """
    first = (month or timezone.localdate()).replace(day=1)
    key = f"transparency-{first}"
    kept: Transparency | None = cache.get(key)
    if kept is None:
        kept = _found(first)
        if month is None or kept.accesses:
            cache.set(key, kept, KEPT_S)
    return kept


def _found(month: date) -> Transparency:
    rows = AccessCount.objects.filter(month=month).order_by("office", "purpose")
    counts = rows.values_list("office", "purpose", "accesses")
    months = AccessCount.objects.order_by("-month").values_list("month", flat=True).distinct()[:MONTHS]
    signed = checkpoint()
    return Transparency(
        may={thing: tuple(role for role in ROLES if role in roles) for thing, roles in MAY_OPEN.items()},
        month=month,
        months=tuple(months),
        accesses=tuple(Accesses(office, purpose, n if n >= FEW else None) for office, purpose, n in counts),
        delayed=delayed_by_office(timezone.now()),
        years=_years(),
        published=tuple(published_runs()),
        log_size=signed.size if signed else 0,
        log_at=signed.at if signed else None,
    )


def _years() -> tuple[YearFigures, ...]:
    """Each year's approved runs, the newest year first: one query."""
    runs = Run.objects.filter(state__in=EFFECTIVE).select_related("tax_year").defer("differences")
    of_year: dict[int, list[Run]] = {}
    for run in runs.order_by("-tax_year", "number"):
        of_year.setdefault(run.tax_year_id, []).append(run)
    costs = stated_costs()
    return tuple(_year(year, found, costs.get(str(year))) for year, found in of_year.items())


def _year(year: int, runs: list[Run], cost_minor: int | None) -> YearFigures:
    newest = runs[-1]
    sums = {name: sum(getattr(run, name) for run in runs) for name in SUMMED}
    scheme = scheme_of(newest.tax_year.scheme_version_id)
    return YearFigures(
        year, scheme, len(runs), newest.residents, newest.verified_entries, **sums, cost_minor=cost_minor
    )


SUMMED: Final = ("due_minor", "paid_minor", "netted_minor", "lapsed_minor")


def stated_costs() -> Mapping[str, int]:
    """What the operator says that each year cost, in minor units of its currency; nothing where it says nothing."""
    path: Path | None = settings.KANPU_COSTS
    if path is None or not path.exists():
        return {}
    stated: dict[str, Any] = json.loads(path.read_text())
    return {year: int(cost) for year, cost in stated.items()}

"""Decisions as auditors see them: by year and stage, and one with its reasons."""

from dataclasses import dataclass
from typing import Final

from django.core.paginator import Page, Paginator
from django.utils import timezone

from apps.refunds.models import Decision
from apps.refunds.queries.decisions import (
    STAGES,
    decisions_at,
    decisions_by_stage,
    stage_of,
)
from apps.schemes.document import Scheme
from apps.schemes.queries import YearNotStarted, scheme_of, started_years

DECISIONS_A_PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class DecisionsPage:
    """One page of a year's decisions at a stage (or all), each with its stage, and how many there are at each."""

    year: int
    years: tuple[int, ...]
    scheme: Scheme
    stage: str
    stages: tuple[tuple[str, int], ...]
    rows: tuple[tuple[Decision, str], ...]
    page: "Page[Decision]"


def decisions_page(year: int | None, *, stage: str, page: str | None) -> DecisionsPage:
    """The decisions of a year, by default the newest started: four queries. Raises YearNotStarted."""
    started = {row.year: row for row in started_years()}
    year = year or max(started, default=0)
    if year not in started:
        raise YearNotStarted(f"The tax year {year} was not started.")
    stage, today = stage if stage in STAGES else "", timezone.localdate()
    found = Paginator(decisions_at(year, stage, today=today), DECISIONS_A_PAGE).get_page(page)
    return DecisionsPage(
        year=year,
        years=tuple(reversed(started)),
        scheme=scheme_of(started[year].scheme_version_id),
        stage=stage,
        stages=tuple(decisions_by_stage(year, today=today).items()),
        rows=tuple((decision, stage_of(decision, today=today)) for decision in found.object_list),
        page=found,
    )

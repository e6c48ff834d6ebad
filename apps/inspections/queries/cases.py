"""Cases: those that wait, and one with what was written into it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.core.paginator import Page, Paginator
from django.db.models import Count, Q, QuerySet

from apps.inspections.models import Annulment, Case, Note, Source
from apps.kernel.errors import KanpuError

CASES_A_PAGE: Final = 50
OPEN: Final = Q(closed_at=None)


class CaseMissing(KanpuError):
    """There is no such case."""

    code = "case_missing"


def case_of(case_id: int, *, lock: bool = False) -> Case:
    """One case. Raises CaseMissing."""
    cases = Case.objects.select_for_update() if lock else Case.objects
    case = cases.filter(pk=case_id).first()
    if case is None:
        raise CaseMissing(f"There is no case {case_id}.")
    return case


@dataclass(frozen=True, slots=True)
class CasesPage:
    """A page of cases, the newest first; how many there are of each kind that can be chosen."""

    chosen: str
    source: str
    counts: tuple[tuple[str, int], ...]
    page: "Page[Case]"


@dataclass(frozen=True, slots=True)
class CasePage:
    """A case with its evidence and comments, in order, and what is held against purchases in it."""

    case: Case
    evidence: list[Note]
    comments: list[Note]
    annulments: list[Annulment]


def names(case: Case, *records: str) -> bool:
    """Whether a case is about one of these records, or has it as evidence: one query at most."""
    return case.subject in records or case.notes.filter(record__in=records).exists()


def filters(me: str) -> Mapping[str, Q]:
    """What cases can be chosen by: `me` is who looks."""
    return {
        "open": OPEN,
        "mine": OPEN & Q(assigned_to=me),
        "unassigned": OPEN & Q(assigned_to=""),
        "closed": Q(closed_at__isnull=False),
    }


def cases_page(chosen: str, source: str, *, me: str, page: str | None) -> CasesPage:
    """Cases that are chosen (else the open ones) of a source (else all): three queries."""
    by = filters(me)
    chosen = chosen if chosen in by else "open"
    source = source if source in Source.values else ""
    cases = Case.objects.filter(source=source) if source else Case.objects.all()
    counts = cases.aggregate(**{name: Count("pk", filter=condition) for name, condition in by.items()})
    found: QuerySet[Case] = cases.filter(by[chosen]).order_by("-opened_at", "-pk")
    return CasesPage(chosen, source, tuple(counts.items()), Paginator(found, CASES_A_PAGE).get_page(page))


def case_page(case: Case) -> CasePage:
    """A case: two queries."""
    notes = list(case.notes.order_by("pk"))
    # Of an emptied note it does not show what it was.
    evidence = [note for note in notes if note.record]
    comments = [note for note in notes if not note.record]
    return CasePage(case, evidence, comments, list(case.annulments.order_by("pk")))

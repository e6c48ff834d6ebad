"""Reading decisions and their deadlines."""

from datetime import date
from uuid import UUID

from django.db.models import QuerySet

from apps.kernel.errors import KanpuError
from apps.refunds.models import Decision


class DecisionMissing(KanpuError):
    """There is no such decision."""

    code = "decision_missing"


def decision_of(decision_id: int, *, lock: bool = False) -> Decision:
    """One decision. Raises DecisionMissing."""
    decisions = Decision.objects.select_for_update() if lock else Decision.objects
    decision = decisions.filter(pk=decision_id).first()
    if decision is None:
        raise DecisionMissing(f"There is no decision {decision_id}.")
    return decision


def decisions_of_resident(resident_ref: UUID, *, year: int | None = None) -> list[Decision]:
    """A resident's decisions, the newest first: one query."""
    found = Decision.objects.filter(resident_ref=resident_ref)
    return list((found.filter(tax_year=year) if year else found).order_by("-decided_at", "-pk"))


def decisions_of_year(year: int, *, state: str = "") -> "QuerySet[Decision]":
    """A year's decisions, those whose time to appeal ends first before the others."""
    found = Decision.objects.filter(tax_year=year)
    return (found.filter(state=state) if state else found).order_by("appeal_until", "pk")


def appeals_ending(until: date) -> int:
    """How many decisions can still be appealed against, but not after that day: one query."""
    return Decision.objects.filter(state=Decision.State.NOTIFIED, appeal_until__lte=until).count()

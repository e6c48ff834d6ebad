"""The resident's own decisions."""

from uuid import UUID

from django.utils import timezone

from apps.refunds.models import Decision
from apps.refunds.queries.decisions import (
    DecisionMissing,
    decision_of,
    decisions_of_resident,
    stage_of,
)


def own_decisions(ref: UUID) -> list[tuple[Decision, str]]:
    """The resident's decisions with the stage of each, the newest first: two queries."""
    today = timezone.localdate()
    return [(decision, stage_of(decision, today=today)) for decision in decisions_of_resident(ref)]


def own_decision(ref: UUID, decision_id: int) -> Decision:
    """One of the resident's decisions. Raises DecisionMissing for another's."""
    decision = decision_of(decision_id)
    if decision.resident_ref != ref:
        raise DecisionMissing(f"There is no decision {decision_id}.")
    return decision

"""The resident's own decisions."""

from django.contrib.auth.models import AnonymousUser, User
from django.utils import timezone

from apps.portal.queries.accounts import resident_of
from apps.refunds.models import Decision
from apps.refunds.queries.decisions import (
    DecisionMissing,
    decision_of,
    decisions_of_resident,
    stage_of,
)


def own_decisions(user: User | AnonymousUser) -> list[tuple[Decision, str]]:
    """The resident's decisions with the stage of each, the newest first: two queries. Raises NoAccount."""
    today = timezone.localdate()
    return [(decision, stage_of(decision, today=today)) for decision in decisions_of_resident(resident_of(user))]


def own_decision(user: User | AnonymousUser, decision_id: int) -> Decision:
    """One of the resident's decisions. Raises NoAccount, and DecisionMissing for another's."""
    ref, decision = resident_of(user), decision_of(decision_id)
    if decision.resident_ref != ref:
        raise DecisionMissing(f"There is no decision {decision_id}.")
    return decision

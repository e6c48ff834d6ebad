"""What residents do with their decisions: open them, which counts as being told, and appeal."""

from django.utils import timezone

from apps.portal.queries.decisions import own_decision
from apps.portal.viewer import Right, Viewer
from apps.refunds.models import Decision
from apps.refunds.operations.deciding import appeal, notify


def open_decision(viewer: Viewer, decision_id: int) -> Decision:
    """The resident's decision; opened the first time, the time to appeal begins. Raises DecisionMissing.

    Not when somebody opens it for the resident who may see it but not appeal.
    """
    decision = own_decision(viewer.ref, decision_id)
    if decision.state != Decision.State.ISSUED or not viewer.may(Right.DISPUTE):
        return decision
    notify([decision.pk], on=timezone.localdate(), actor=viewer.actor)
    return own_decision(viewer.ref, decision_id)


def appeal_against(viewer: Viewer, decision_id: int, *, reason: str) -> Decision:
    """Appeal today. Raises DecisionMissing, NotYetNotified, TooLate and DecisionClosed."""
    decision = own_decision(viewer.ref, decision_id)
    return appeal(decision.pk, reason=reason, on=timezone.localdate(), actor=viewer.actor)

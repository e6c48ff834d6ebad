"""What residents do with their decisions: open them, which counts as being told, and appeal."""

from django.contrib.auth.models import AnonymousUser, User
from django.utils import timezone

from apps.portal.queries.decisions import own_decision
from apps.refunds.models import Decision
from apps.refunds.operations.deciding import appeal, notify

ACTOR = "resident"


def open_decision(user: User | AnonymousUser, decision_id: int) -> Decision:
    """The resident's decision; opened the first time, the time to appeal begins. Raises NoAccount, DecisionMissing."""
    decision = own_decision(user, decision_id)
    if decision.state != Decision.State.ISSUED:
        return decision
    notify([decision.pk], on=timezone.localdate(), actor=ACTOR)
    return own_decision(user, decision_id)


def appeal_against(user: User | AnonymousUser, decision_id: int, *, reason: str) -> Decision:
    """Appeal today. Raises NoAccount, DecisionMissing, NotYetNotified, TooLate and DecisionClosed."""
    decision = own_decision(user, decision_id)
    return appeal(decision.pk, reason=reason, on=timezone.localdate(), actor=ACTOR)

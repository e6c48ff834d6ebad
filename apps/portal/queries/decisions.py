"""The resident's own decisions."""

from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser, User
from django.utils import timezone

from apps.portal.queries.accounts import resident_of
from apps.refunds.models import Decision
from apps.refunds.queries.decisions import (
    DecisionMissing,
    Reasons,
    decision_of,
    decisions_of_resident,
    reasons_of,
    scheme_of_decision,
    stage_of,
)
from apps.schemes.document import Scheme


@dataclass(frozen=True, slots=True)
class DecisionPage:
    """A decision that the resident has opened, with its stage, its reasons and the scheme it was made under."""

    decision: Decision
    stage: str
    reasons: Reasons
    scheme: Scheme


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


def page_of(decision: Decision) -> DecisionPage:
    """All that the page of a decision says."""
    stage = stage_of(decision, today=timezone.localdate())
    return DecisionPage(decision, stage, reasons_of(decision), scheme_of_decision(decision))

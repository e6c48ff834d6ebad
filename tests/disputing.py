"""Disputes in tests: what residents say, what officers do with it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.accruals.disputes import Missing
from apps.accruals.models import Dispute
from apps.purchases.following import Key
from apps.refunds.operations import adjudicating, disputing
from apps.refunds.operations.adjudicating import Verdict
from tests.judging import key

ANN, BEN, CAT = "user:ann", "user:ben", "user:cat"
OFFICE = "Refund office, Tokyo"


def object_to(resident: UUID, seq: int, kind: str = "not_mine", words: str = "", **amounts: int) -> Dispute:
    """The resident disputes a purchase of the first till."""
    objection = disputing.Objection(Dispute.Kind(kind), words, amounts)
    return disputing.dispute_purchase(resident, Key(*key(seq)), objection, at=timezone.now(), actor="resident")


def report(
    resident: UUID, *, at: str = "2017-08-03T10:00:00+09:00", shop: str = "青果 山田", now: datetime | None = None,
    **amounts: int,
) -> Dispute:  # fmt: skip
    """The resident reports a missing purchase."""
    missing = Missing(shop, datetime.fromisoformat(at), "R-77", amounts)
    return disputing.report_missing(resident, missing, words="", at=now or timezone.now(), actor="resident")


def propose(dispute: Dispute, *, uphold: bool = True, actor: str = ANN, **amounts: int) -> Dispute:
    """An officer proposes a decision, by default what the resident says."""
    verdict = Verdict(uphold, amounts or dispute.amounts, "The receipt says so.")
    return adjudicating.propose(dispute.pk, verdict, office=OFFICE, at=timezone.now(), actor=actor)


def approve(dispute: Dispute, *, actor: str = BEN) -> Dispute:
    """Another officer approves what is proposed."""
    proposed = Dispute.objects.get(pk=dispute.pk)
    shown = proposed.proposed_at.isoformat() if proposed.proposed_at else ""
    return adjudicating.approve(dispute.pk, shown=shown, at=timezone.now(), actor=actor)


def decide(dispute: Dispute, **verdict: Any) -> Dispute:
    """Two officers decide."""
    propose(dispute, **verdict)
    return approve(dispute)

"""What officers do with disputes: ask, propose a decision, approve another's, decide an appeal.

A decision takes two officers, an appeal a third one. What it changes is changed in the transaction that decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from apps.accruals.disputes import Missing
from apps.accruals.models import Dispute, DisputeState
from apps.accruals.operations.admitting import admit_sale
from apps.accruals.operations.amending import AmountsInvalid, amend_sale, deny_sale
from apps.kernel.errors import KanpuError
from apps.refunds.deadlines import months_after, presumed_received
from apps.refunds.operations.disputing import DisputeClosed, drop_photo, record
from apps.refunds.queries.disputes import dispute_of, scheme_in
from apps.residents.operations.messages import tell

TO_BE_DECIDED = (DisputeState.OPEN, DisputeState.ASKED, DisputeState.ANSWERED)


class SameOfficer(KanpuError):
    """The officer took part in this before: somebody else has to look at it."""

    code = "same_officer"


class ProposalChanged(KanpuError):
    """The proposal is not the one that the officer was shown."""

    code = "proposal_changed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an officer decides: `amounts`, minor units by tier, of what is upheld; and why, for the resident to read."""

    uphold: bool
    amounts: Mapping[str, int]
    reasons: str


@transaction.atomic
def ask(dispute_id: int, *, question: str, wants_photo: bool, at: datetime, actor: str) -> Dispute:
    """Ask the resident something, or for a photo of the receipt. Raises DisputeMissing, DisputeClosed."""
    dispute = _locked(dispute_id, *TO_BE_DECIDED)
    drop_photo(dispute)
    dispute.state, dispute.asked_at, dispute.question, dispute.wants_photo = (
        DisputeState.ASKED, at, question, wants_photo
    )  # fmt: skip
    dispute.answered_at, dispute.answer = None, ""
    dispute.save()
    record(dispute, "dispute.ask", at=at, actor=actor, photo=wants_photo)
    tell([dispute.resident_ref], "dispute_asked", at=at, number=dispute.number, dispute=dispute.pk)
    return dispute


@transaction.atomic
def propose(dispute_id: int, verdict: Verdict, *, office: str, at: datetime, actor: str) -> Dispute:
    """Propose a decision; nothing is changed before another officer approves it.

    Raises DisputeMissing, DisputeClosed, AmountsInvalid.
    """
    dispute = _locked(dispute_id, *TO_BE_DECIDED)
    _take(dispute, verdict)
    dispute.reasons, dispute.office = verdict.reasons, office
    dispute.state, dispute.proposed_by, dispute.proposed_at = DisputeState.PROPOSED, actor, at
    dispute.save()
    record(dispute, "dispute.propose", at=at, actor=actor, outcome=dispute.outcome)
    return dispute


@transaction.atomic
def send_back(dispute_id: int, *, at: datetime, actor: str) -> Dispute:
    """Take a proposal back, one's own or another's: it is to be decided anew. Raises DisputeMissing, DisputeClosed."""
    dispute = _locked(dispute_id, DisputeState.PROPOSED)
    dispute.state = DisputeState.ANSWERED if dispute.answered_at else DisputeState.OPEN
    dispute.outcome = dispute.reasons = dispute.proposed_by = dispute.office = ""
    dispute.decided_amounts, dispute.proposed_at = {}, None
    dispute.save()
    record(dispute, "dispute.send_back", at=at, actor=actor)
    return dispute


@transaction.atomic
def approve(dispute_id: int, *, shown: str, at: datetime, actor: str) -> Dispute:
    """Approve another officer's proposal: it is decided, and what it changes is changed with it.

    `shown` is the time of the proposal that was on the page. The photo goes. Raises DisputeMissing, DisputeClosed,
    SameOfficer, ProposalChanged; and PurchaseMissing, AmountsInvalid, NotAdmitted or ClaimNotResident when the purchase
    is not what it was.
    """
    dispute = _locked(dispute_id, DisputeState.PROPOSED)
    if dispute.proposed_by == actor:
        raise SameOfficer("Whoever proposed a decision does not approve it: ask another officer.")
    if dispute.proposed_at is None or dispute.proposed_at.isoformat() != shown:
        raise ProposalChanged("The proposal is another one by now. Read it again.")
    drop_photo(dispute)
    _change(dispute, at=at, actor=actor)
    within = scheme_in(dispute.tax_year).appeal.within_months
    dispute.appeal_until = months_after(presumed_received(timezone.localdate(at)), within)
    dispute.state, dispute.approved_by, dispute.decided_at = DisputeState(dispute.outcome), actor, at
    dispute.save()
    _told(dispute, "dispute.decide", at=at, actor=actor)
    return dispute


@transaction.atomic
def decide_appeal(dispute_id: int, verdict: Verdict, *, at: datetime, actor: str) -> Dispute:
    """Decide an appeal, as an officer who had no part in the decision; what it changes is changed with it.

    Raises DisputeMissing, DisputeClosed, SameOfficer, and what `approve` raises of the purchase.
    """
    dispute = _locked(dispute_id, DisputeState.APPEALED)
    if actor in (dispute.proposed_by, dispute.approved_by):
        raise SameOfficer("An appeal is decided by an officer who had no part in the decision.")
    if verdict.uphold:
        _take(dispute, verdict)
        _change(dispute, at=at, actor=actor)
    dispute.state = DisputeState(dispute.outcome)
    dispute.appeal_decided_by, dispute.appeal_decided_at, dispute.appeal_reasons = actor, at, verdict.reasons
    dispute.save()
    _told(dispute, "dispute.decide_appeal", at=at, actor=actor)
    return dispute


def _locked(dispute_id: int, *states: DisputeState) -> Dispute:
    dispute = dispute_of(dispute_id, lock=True)
    if dispute.state not in states:
        raise DisputeClosed(f"Dispute {dispute} is {dispute.state}: this cannot be done to it now.")
    return dispute


def _take(dispute: Dispute, verdict: Verdict) -> None:
    """Set the outcome: upheld in part when other amounts are granted than the resident says."""
    dispute.decided_amounts = {}
    if not verdict.uphold:
        dispute.outcome = DisputeState.REFUSED
    elif dispute.kind == Dispute.Kind.NOT_MINE:
        dispute.outcome = DisputeState.UPHELD
    else:
        if not verdict.amounts:
            raise AmountsInvalid("Give the amounts that are granted.")
        dispute.decided_amounts = dict(verdict.amounts)
        dispute.outcome = DisputeState.UPHELD if dispute.decided_amounts == dispute.amounts else DisputeState.PARTLY


def _change(dispute: Dispute, *, at: datetime, actor: str) -> None:
    """Change what was decided. A missing purchase that was admitted before, in part, is amended."""
    if dispute.outcome == DisputeState.REFUSED:
        return
    key = dispute.sale
    if key is None:
        missing = Missing(dispute.shop, dispute.bought_at, dispute.receipt_number, dispute.decided_amounts)
        admitted = admit_sale(dispute.resident_ref, missing, reported_at=dispute.opened_at, now=at, actor=actor)
        dispute.terminal_id, dispute.seq = admitted
    elif dispute.kind == Dispute.Kind.NOT_MINE:
        deny_sale(dispute.resident_ref, key, now=at)
    else:
        amend_sale(dispute.resident_ref, key, dispute.decided_amounts, now=at)


def _told(dispute: Dispute, action: str, *, at: datetime, actor: str) -> None:
    record(dispute, action, at=at, actor=actor, outcome=dispute.outcome)
    tell([dispute.resident_ref], "dispute_decided", at=at, number=dispute.number, dispute=dispute.pk)

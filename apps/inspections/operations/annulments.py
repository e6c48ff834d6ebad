"""Annulling a purchase: the resident is heard, one auditor proposes, another approves; an appeal may lift it."""

from datetime import date, datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from apps.accruals.operations.annulling import annul_sale, restore_sale
from apps.accruals.operations.withdrawing import PurchaseMissing
from apps.accruals.queries.sales import sale_seen
from apps.audit.operations import record_event
from apps.inspections.hearing import earliest_reply_date, end_of
from apps.inspections.models import Annulment, AnnulmentState
from apps.inspections.operations.cases import open_case_of
from apps.inspections.queries.annulments import annulment_of, under_way
from apps.kernel.errors import KanpuError
from apps.purchases.following import Key
from apps.refunds.models import Decision
from apps.refunds.operations import deciding
from apps.refunds.operations.adjudicating import ProposalChanged, SameOfficer
from apps.refunds.queries.purchases import brings
from apps.residents.operations.messages import tell
from apps.schemes.queries import tax_year


class AlreadyHeard(KanpuError):
    """The same purchase is dealt with already, in this case or in another."""

    code = "already_heard"


class ReplyTimeShort(KanpuError):
    """The resident gets less time to reply than is due."""

    code = "reply_time_short"


class ReplyTimeOver(KanpuError):
    """The time to reply is over, or a reply was given."""

    code = "reply_time_over"


class NotHeardYet(KanpuError):
    """The resident may still reply."""

    code = "not_heard_yet"


class AnnulmentClosed(KanpuError):
    """It is in no state in which this can be done."""

    code = "annulment_closed"


@transaction.atomic
def hear(
    case_id: int, resident_ref: UUID, sale: Key, *, charge: str, reply_until: date, office: str, at: datetime,
    actor: str,
) -> Annulment:  # fmt: skip
    """Tell a resident what is held against a counted purchase; until the end of a day there is time to reply.

    Raises CaseMissing, CaseClosed, PurchaseMissing, AlreadyHeard, ReplyTimeShort.
    """
    case = open_case_of(case_id)
    if reply_until < earliest_reply_date(timezone.localdate(at)):
        raise ReplyTimeShort("The resident gets at least two weeks to reply.")
    seen = sale_seen(resident_ref, sale)
    if seen is None or not seen.is_counted:
        raise PurchaseMissing("There is no such purchase that counts.")
    if under_way(sale):
        raise AlreadyHeard("This purchase is dealt with already.")
    annulment = Annulment.objects.create(
        case=case, resident_ref=resident_ref, tax_year=seen.tax_year, terminal_id=sale.terminal_id, seq=sale.seq,
        charge=charge, told_by=actor, told_at=at, office=office,
        reply_ends_at=end_of(reply_until, timezone.get_default_timezone()),
    )  # fmt: skip
    _record(annulment, "annulment.hear", {}, at=at, actor=actor)
    tell([resident_ref], "purchase_questioned", at=at, hearing=annulment.pk, until=reply_until.isoformat())
    return annulment


@transaction.atomic
def reply(annulment_id: int, *, words: str, at: datetime, actor: str) -> Annulment:
    """The resident replies, once and in time. Raises AnnulmentMissing, ReplyTimeOver."""
    annulment = annulment_of(annulment_id, lock=True)
    if annulment.state != AnnulmentState.HEARD or annulment.replied_at or at >= annulment.reply_ends_at:
        raise ReplyTimeOver("The time to reply is over, or you replied before.")
    before = _state_of(annulment)
    annulment.reply, annulment.replied_at = words, at
    annulment.save()
    _record(annulment, "annulment.reply", before, at=at, actor=actor)
    return annulment


@transaction.atomic
def propose(annulment_id: int, *, reasons: str, at: datetime, actor: str) -> Annulment:
    """Propose to annul the purchase, after the resident was heard; another auditor has to approve it.

    Raises AnnulmentMissing, AnnulmentClosed, NotHeardYet.
    """
    annulment = _locked(annulment_id, AnnulmentState.HEARD)
    if annulment.replied_at is None and at < annulment.reply_ends_at:
        raise NotHeardYet("The resident may still reply. Wait for the reply, or until the time is over.")
    before = _state_of(annulment)
    annulment.state, annulment.reasons = AnnulmentState.PROPOSED, reasons
    annulment.proposed_by, annulment.proposed_at = actor, at
    annulment.save()
    _record(annulment, "annulment.propose", before, at=at, actor=actor)
    return annulment


@transaction.atomic
def send_back(annulment_id: int, *, at: datetime, actor: str) -> Annulment:
    """Take a proposal back, one's own or another's. Raises AnnulmentMissing, AnnulmentClosed."""
    annulment = _locked(annulment_id, AnnulmentState.PROPOSED)
    before = _state_of(annulment)
    _unpropose(annulment, AnnulmentState.HEARD)
    _record(annulment, "annulment.send_back", before, at=at, actor=actor)
    return annulment


@transaction.atomic
def drop(annulment_id: int, *, at: datetime, actor: str) -> Annulment:
    """Hold nothing against the purchase any more; the resident is told. Raises AnnulmentMissing, AnnulmentClosed."""
    annulment = _locked(annulment_id, AnnulmentState.HEARD, AnnulmentState.PROPOSED)
    before = _state_of(annulment)
    _unpropose(annulment, AnnulmentState.DROPPED)
    _record(annulment, "annulment.drop", before, at=at, actor=actor)
    tell([annulment.resident_ref], "purchase_cleared", at=at, hearing=annulment.pk)
    return annulment


@transaction.atomic
def approve(annulment_id: int, *, shown: str, at: datetime, actor: str) -> Annulment:
    """Approve another auditor's proposal: the purchase counts no more, and the resident gets a decision.

    `shown` is the time of the proposal that was on the page. Raises AnnulmentMissing, AnnulmentClosed, SameOfficer,
    ProposalChanged; PurchaseMissing when the purchase counts no more.
    """
    found = annulment_of(annulment_id)
    _check_proposed(found, shown, actor)
    amount_minor = brings(found.resident_ref, found.sale)
    said = annul_sale(found.resident_ref, found.sale, now=at)  # locks the purchase first, as who withdraws it does
    annulment = annulment_of(annulment_id, lock=True)
    _check_proposed(annulment, shown, actor)
    before = _state_of(annulment)
    decision = deciding.annul(
        annulment.resident_ref, year=annulment.tax_year, run=tax_year(annulment.tax_year).open_run,
        amount_minor=amount_minor, reason=f"{annulment.reasons} ({annulment.case.number})", actor=actor, now=at,
    )  # fmt: skip
    annulment.said, annulment.decision_id = said, decision.pk
    annulment.state, annulment.approved_by, annulment.decided_at = AnnulmentState.APPROVED, actor, at
    annulment.save()
    _record(annulment, "annulment.approve", before, at=at, actor=actor, decision=decision.number)
    return annulment


@transaction.atomic
def decide_appeal(decision_id: int, *, amended: bool, outcome: str, at: datetime, actor: str) -> Decision:
    """Close an appeal. Against an annulment, it is a third auditor who does; one that was right counts the purchase.

    Raises what deciding.decide_appeal raises, SameOfficer, and PurchaseMissing when the purchase is erased.
    """
    annulment = Annulment.objects.filter(decision_id=decision_id).first()
    if annulment and actor in (annulment.proposed_by, annulment.approved_by):
        raise SameOfficer("An appeal is decided by an auditor who had no part in the decision.")
    decision = deciding.decide_appeal(decision_id, amended=amended, outcome=outcome, actor=actor)
    if annulment and amended:
        before = _state_of(annulment)
        restore_sale(annulment.resident_ref, annulment.sale, said=annulment.said, now=at)
        annulment.lifted_by, annulment.lifted_at = actor, at
        annulment.save(update_fields=["lifted_by", "lifted_at"])
        _record(annulment, "annulment.lift", before, at=at, actor=actor, decision=decision.number)
    return decision


def _locked(annulment_id: int, *states: AnnulmentState) -> Annulment:
    annulment = annulment_of(annulment_id, lock=True)
    if annulment.state not in states:
        raise AnnulmentClosed(f"It is {annulment.state}: this cannot be done now.")
    return annulment


def _check_proposed(annulment: Annulment, shown: str, actor: str) -> None:
    if annulment.state != AnnulmentState.PROPOSED or annulment.proposed_at is None:
        raise AnnulmentClosed(f"It is {annulment.state}: nothing is proposed.")
    if annulment.proposed_by == actor:
        raise SameOfficer("Whoever proposed a decision does not approve it: ask another auditor.")
    if annulment.proposed_at.isoformat() != shown:
        raise ProposalChanged("The proposal is another one by now. Read it again.")


def _unpropose(annulment: Annulment, state: AnnulmentState) -> None:
    annulment.state, annulment.reasons, annulment.proposed_by, annulment.proposed_at = state, "", "", None
    annulment.save()


def _state_of(annulment: Annulment) -> dict[str, object]:
    return {field.attname: getattr(annulment, field.attname) for field in Annulment._meta.concrete_fields}


def _record(annulment: Annulment, action: str, before: object, *, at: datetime, actor: str, **detail: object) -> None:
    """An event of the resident's that names the case, never the purchase or what was said: that may be forgotten."""
    record_event(
        at=at, actor=actor, action=action, subject=f"resident:{annulment.resident_ref}",
        detail={"case": annulment.case.number, "annulment": annulment.pk, **detail}, before=before,
        after=_state_of(annulment),
    )  # fmt: skip

"""Cases in tests: what auditors hold against purchases, what residents reply, what two auditors decide."""

from datetime import datetime, timedelta
from uuid import UUID

from django.utils import timezone

from apps.inspections.models import Annulment, Case, Source
from apps.inspections.operations import annulments
from apps.inspections.operations.cases import open_case
from apps.purchases.following import Key
from tests.judging import key

ANN, BEN, CAT = "user:ann", "user:ben", "user:cat"
OFFICE = "Refund office, Tokyo"


def case_about(subject: str, *, title: str = "Too many at one till") -> Case:
    """A case that Ann opened by hand."""
    return open_case(Source.SEARCH, None, subject=subject, title=title, at=timezone.now(), actor=ANN)


def held_against(resident: UUID, seq: int, *, at: datetime | None = None, case: Case | None = None) -> Annulment:
    """Ann tells a resident what is held against a purchase of the first till."""
    at = at or timezone.now()
    terminal_id, _ = key(seq)
    case = case or case_about(f"purchase:{terminal_id}/{seq}")
    return annulments.hear(
        case.pk, resident, Key(terminal_id, seq), charge="The till sold it without goods.", office=OFFICE,
        reply_until=timezone.localdate(at) + timedelta(days=14), at=at, actor=ANN,
    )  # fmt: skip


def held(resident: UUID, terminal_id: int, seq: int, *, year: int, at: datetime) -> Annulment:
    """A row of the same, of a purchase that nobody looks up."""
    return Annulment.objects.create(
        case=case_about(f"purchase:{terminal_id}/{seq}"), resident_ref=resident, tax_year=year,
        terminal_id=terminal_id, seq=seq, charge="The till sold it without goods.", told_by=ANN, told_at=at,
        office=OFFICE, reply_ends_at=at + timedelta(days=14),
    )  # fmt: skip


def replied(annulment: Annulment, words: str = "I bought rice.") -> Annulment:
    """The resident replies."""
    return annulments.reply(annulment.pk, words=words, at=timezone.now(), actor="resident")


def proposed(annulment: Annulment, *, actor: str = ANN) -> Annulment:
    """An auditor proposes to annul it."""
    return annulments.propose(annulment.pk, reasons="No goods were sold.", at=timezone.now(), actor=actor)


def approved(annulment: Annulment, *, actor: str = BEN) -> Annulment:
    """Another one approves it."""
    found = Annulment.objects.get(pk=annulment.pk)
    shown = found.proposed_at.isoformat() if found.proposed_at else ""
    return annulments.approve(annulment.pk, shown=shown, at=timezone.now(), actor=actor)


def annulled(resident: UUID, seq: int) -> Annulment:
    """All of it: heard, replied, proposed and approved."""
    return approved(proposed(replied(held_against(resident, seq))))

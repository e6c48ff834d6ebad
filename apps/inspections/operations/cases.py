"""Opening a case from what was found, and working on it. Each change is an event of the trail, without a word of it."""

from datetime import datetime
from typing import Final

from django.db import transaction

from apps.accruals.models import Dispute
from apps.audit.models import Alarm
from apps.audit.officers import auditor_named
from apps.audit.operations import record_event
from apps.inspections.models import Annulment, AnnulmentState, Case, Note, Outcome, Source
from apps.inspections.models.cases import MONEY
from apps.inspections.queries.cases import case_of
from apps.inspections.queries.records import check_there, records_of_alarm
from apps.kernel.errors import KanpuError

USER: Final = "user:"


class CaseClosed(KanpuError):
    """The case is closed: nothing is changed of it any more."""

    code = "case_closed"


class CaseUndecided(KanpuError):
    """The case cannot be closed so: a purchase is not annulled, or is yet to be decided about."""

    code = "case_undecided"


@transaction.atomic
def open_case(source: Source, source_id: int | None, *, subject: str, title: str, at: datetime, actor: str) -> Case:
    """Open a case, or return the open one that there is already of the same source and subject."""
    case, is_new = Case.objects.get_or_create(
        source=source, source_id=source_id, subject=subject, closed_at=None,
        defaults={"title": title, "opened_at": at, "opened_by": actor},
    )  # fmt: skip
    if is_new:
        detail = {"source": source.value, "source_id": source_id}
        record(case, "case.open", at=at, actor=actor, before={}, after=state_of(case), **detail)
    return case


@transaction.atomic
def open_from_alarm(alarm: Alarm, *, title: str, at: datetime, actor: str) -> Case:
    """Open a case about what an alarm is about, with the alarm and its records as evidence."""
    records = records_of_alarm(alarm)
    about = records[0] if records else f"alarm:{alarm.pk}"
    case = open_case(Source.ALARM, alarm.pk, subject=about, title=title, at=at, actor=actor)
    for one in (f"alarm:{alarm.pk}", *records):
        if not case.notes.filter(record=one).exists():
            write(case.pk, record_name=one, text=title, at=at, actor=actor)
    return case


@transaction.atomic
def open_from_dispute(dispute: Dispute, *, title: str, at: datetime, actor: str) -> Case:
    """Open a case about the resident who disputes a purchase, with the dispute and the purchase as evidence."""
    about = f"resident:{dispute.resident_ref}"
    case = open_case(Source.DISPUTE, dispute.pk, subject=about, title=title, at=at, actor=actor)
    sale = [f"purchase:{dispute.terminal_id}/{dispute.seq}"] if dispute.sale else []
    for one in (f"dispute:{dispute.pk}", *sale):
        if not case.notes.filter(record=one).exists():
            write(case.pk, record_name=one, text=title, at=at, actor=actor)
    return case


@transaction.atomic
def assign(case_id: int, username: str, *, at: datetime, actor: str) -> Case:
    """Give a case to an auditor, or back to all with ''. Raises CaseMissing, CaseClosed, NotAnAuditor."""
    case = open_case_of(case_id)
    before = state_of(case)
    case.assigned_to = f"{USER}{auditor_named(username).username}" if username else ""
    case.save(update_fields=["assigned_to"])
    record(case, "case.assign", at=at, actor=actor, before=before, after=state_of(case), to=case.assigned_to)
    return case


@transaction.atomic
def write(case_id: int, *, record_name: str = "", text: str, at: datetime, actor: str) -> Note:
    """Add a comment to a case, or evidence where it names a record. Raises CaseMissing, CaseClosed, RecordMissing."""
    case = open_case_of(case_id)
    if record_name:
        check_there(record_name)
    note = Note.objects.create(case=case, record=record_name, text=text, added_by=actor, added_at=at)
    action = "case.evidence" if record_name else "case.comment"
    record(case, action, at=at, actor=actor, before={}, after={"record": record_name, "text": text}, note=note.pk)
    return note


@transaction.atomic
def close_case(case_id: int, outcome: Outcome, *, reasons: str, at: datetime, actor: str) -> Case:
    """Close a case with a decision and its reasons.

    What takes money needs a purchase of the case that two auditors annulled. Raises CaseMissing, CaseClosed,
    CaseUndecided.
    """
    case = open_case_of(case_id)
    decided = Annulment.objects.filter(case=case)
    if decided.filter(state__in=(AnnulmentState.HEARD, AnnulmentState.PROPOSED)).exists():
        raise CaseUndecided("A purchase of this case is still to be decided about.")
    if outcome in MONEY and not decided.filter(state=AnnulmentState.APPROVED, lifted_at=None).exists():
        raise CaseUndecided("Nothing is annulled in this case: two auditors have to decide that first.")
    before = state_of(case)
    case.outcome, case.reasons, case.closed_by, case.closed_at = outcome, reasons, actor, at
    case.save()
    record(case, "case.close", at=at, actor=actor, before=before, after=state_of(case), outcome=outcome.value)
    return case


def open_case_of(case_id: int) -> Case:
    """A case that is not closed, locked. Raises CaseMissing, CaseClosed."""
    case = case_of(case_id, lock=True)
    if case.closed_at is not None:
        raise CaseClosed(f"Case {case.number} is closed: open another one.")
    return case


def state_of(case: Case) -> dict[str, object]:
    """All that is said of a case, as its keyed hashes are of."""
    return {field.attname: getattr(case, field.attname) for field in Case._meta.concrete_fields}


def record(
    case: Case, action: str, *, at: datetime, actor: str, before: object, after: object, **detail: object
) -> None:
    """An event of a case: one of its resident's, where it is about one."""
    subject = case.subject if case.resident else f"case:{case.pk}"
    record_event(
        at=at, actor=actor, action=action, subject=subject, detail={"case": case.number, **detail}, before=before,
        after=after,
    )  # fmt: skip

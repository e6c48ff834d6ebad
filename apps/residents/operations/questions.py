"""Residents ask why somebody looked at their data; somebody else of the office answers."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.audit.models import AccessRecord
from apps.audit.operations import record_event
from apps.audit.queries.delays import told_later
from apps.kernel.errors import KanpuError
from apps.residents.models import AccessQuestion
from apps.residents.operations.messages import tell

REPLY_WITHIN: Final = timedelta(days=30)


class AccessUnknown(KanpuError):
    """There is no such access to the resident's data by somebody else."""

    code = "access_unknown"


class AskedBefore(KanpuError):
    """It was asked about this access before."""

    code = "asked_before"


class QuestionMissing(KanpuError):
    """There is no such question, or it is for another office."""

    code = "question_missing"


class AnsweredBefore(KanpuError):
    """The question was answered before."""

    code = "answered_before"


class AnswererLooked(KanpuError):
    """Whoever looked does not answer why."""

    code = "answerer_looked"


def ask_why(ref: UUID, record_id: int, words: str, *, at: datetime, actor: str) -> AccessQuestion:
    """Ask the office that looked, once an access. Raises AccessUnknown for another's as well, AskedBefore."""
    told = AccessRecord.objects.filter(~told_later(at), pk=record_id, resident_ref=ref)
    record = told.exclude(role="resident").first()
    if record is None:
        raise AccessUnknown("There is no such access to your data.")
    try:
        with transaction.atomic():
            question = AccessQuestion.objects.create(
                record=record, resident_ref=ref, looked_by=record.actor, office=record.office, asked_at=at,
                words=words, reply_by_date=timezone.localdate(at) + REPLY_WITHIN,
            )  # fmt: skip
            record_event(
                at=at, actor=actor, action="access.ask", subject=f"resident:{ref}", detail={"access": record_id}
            )
    except IntegrityError as error:
        raise AskedBefore("You asked about this access before.") from error
    return question


@transaction.atomic
def answer_why(question: AccessQuestion, answer: str, *, at: datetime, actor: str) -> AccessQuestion:
    """Answer, for the office; the resident is told. Raises AnswererLooked and AnsweredBefore."""
    asked = AccessQuestion.objects.select_for_update().get(pk=question.pk)
    if asked.looked_by == actor:
        raise AnswererLooked("You looked yourself: somebody else of your office, or an auditor, answers.")
    if asked.answered_at:
        raise AnsweredBefore("This question was answered before.")
    asked.answered_at, asked.answered_by, asked.answer = at, actor, answer
    asked.save(update_fields=["answered_at", "answered_by", "answer"])
    tell([asked.resident_ref], "question_answered", at=at, access=asked.record_id)
    record_event(
        at=at, actor=actor, action="access.answer", subject=f"resident:{asked.resident_ref}",
        detail={"access": asked.record_id},
    )  # fmt: skip
    return asked

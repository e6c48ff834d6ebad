"""Delaying the notice of an access for a criminal inquiry: two officers decide it, and two extend it once."""

from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction

from apps.audit.access import Access
from apps.audit.models import DELAY_MOST, NoticeDelay
from apps.audit.operations.trail import JsonObject, record_event
from apps.kernel.errors import KanpuError


class DelayTooLong(KanpuError):
    """A delay holds for six months at most, and an extension for six more."""

    code = "delay_too_long"


class DelayClosed(KanpuError):
    """The delay is not in the state that this starts from."""

    code = "delay_closed"


class DelayedBefore(KanpuError):
    """The officer's accesses to this resident are delayed under this case number already."""

    code = "delayed_before"


class SecondOfficer(KanpuError):
    """Whoever asks does not approve."""

    code = "second_officer"


def ask_delay(resident_ref: UUID, *, access: Access, reason: str, until: datetime, at: datetime) -> NoticeDelay:
    """An officer asks that their accesses to a resident under a case number are told of after `until` only.

    Raises DelayTooLong and DelayedBefore.
    """
    if not at < until <= at + DELAY_MOST:
        raise DelayTooLong("A notice is delayed to a day to come, six months away at most.")
    try:
        with transaction.atomic():
            delay = NoticeDelay.objects.create(
                resident_ref=resident_ref, actor=access.actor, office=access.office, case=access.case, reason=reason,
                until=until, asked_at=at,
            )  # fmt: skip
            _note("delay.ask", delay, before={}, at=at, actor=access.actor)
    except IntegrityError as error:
        raise DelayedBefore("Your notices to this resident are delayed for this case already.") from error
    return delay


@transaction.atomic
def approve_delay(delay_id: int, *, at: datetime, actor: str) -> NoticeDelay:
    """Another officer approves; from now on it holds. Raises SecondOfficer and DelayClosed."""
    delay = _locked(delay_id, at)
    if delay.approved_at:
        raise DelayClosed("This delay was approved before.")
    _check_second(delay.actor, actor)
    before = state_of(delay)
    delay.approved_by, delay.approved_at = actor, at
    return _saved("delay.approve", delay, before=before, at=at, actor=actor)


@transaction.atomic
def ask_extension(delay_id: int, *, until: datetime, at: datetime, actor: str) -> NoticeDelay:
    """An officer asks to extend a delay that holds: once. Raises DelayTooLong and DelayClosed."""
    delay = _locked(delay_id, at)
    if not delay.approved_at or delay.extension_asked_by:
        raise DelayClosed("A delay that holds is extended once.")
    if not delay.until < until <= delay.until + DELAY_MOST:
        raise DelayTooLong("An extension ends six months after the delay at most.")
    before = state_of(delay)
    delay.extended_until, delay.extension_asked_by = until, actor
    return _saved("delay.ask_extension", delay, before=before, at=at, actor=actor)


@transaction.atomic
def approve_extension(delay_id: int, *, at: datetime, actor: str) -> NoticeDelay:
    """Another officer than who asked for it approves it. Raises SecondOfficer and DelayClosed."""
    delay = _locked(delay_id, at)
    if not delay.extension_asked_by or delay.extension_approved_at:
        raise DelayClosed("Nobody asks to extend this delay.")
    _check_second(delay.extension_asked_by, actor)
    before = state_of(delay)
    delay.extension_approved_by, delay.extension_approved_at = actor, at
    return _saved("delay.extend", delay, before=before, at=at, actor=actor)


@transaction.atomic
def end_delay(delay_id: int, *, at: datetime, actor: str) -> NoticeDelay:
    """End a delay, or refuse it, before its time: one officer can do that. Raises DelayClosed."""
    delay = _locked(delay_id, at)
    before = state_of(delay)
    delay.ended_by, delay.ended_at = actor, at
    return _saved("delay.end", delay, before=before, at=at, actor=actor)


def state_of(delay: NoticeDelay) -> JsonObject:
    """What a delay's approval changes, for the trail."""
    return {
        "until": delay.until, "approved_by": delay.approved_by, "extended_until": delay.extended_until,
        "extension_approved_by": delay.extension_approved_by, "ended_at": delay.ended_at,
    }  # fmt: skip


def _locked(delay_id: int, at: datetime) -> NoticeDelay:
    delay = NoticeDelay.objects.select_for_update().filter(pk=delay_id).first()
    if delay is None or delay.ends_at <= at:
        raise DelayClosed("There is no such delay, or it is over.")
    return delay


def _check_second(asked_by: str, actor: str) -> None:
    if asked_by == actor:
        raise SecondOfficer("You asked for it yourself: another officer approves it.")


def _saved(action: str, delay: NoticeDelay, *, before: JsonObject, at: datetime, actor: str) -> NoticeDelay:
    delay.save()
    _note(action, delay, before=before, at=at, actor=actor)
    return delay


def _note(action: str, delay: NoticeDelay, *, before: JsonObject, at: datetime, actor: str) -> None:
    """The subject is the delay: an event about the resident would stand among all their data."""
    record_event(
        at=at, actor=actor, action=action, subject=f"delay:{delay.pk}", purpose=delay.reason,
        detail={"case": delay.case, "office": delay.office, "until": delay.until.isoformat()},
        before=before, after=state_of(delay),
    )  # fmt: skip

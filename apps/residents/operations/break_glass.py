"""Seeing one resident beyond one's role, for a while: one officer asks, another one lets them, the resident is told."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import IntegrityError, transaction

from apps.audit.access import Access
from apps.audit.models import BreakGlass
from apps.audit.officers import Role
from apps.audit.operations import JsonObject, record_event
from apps.audit.operations.delays import SecondOfficer
from apps.audit.queries.delays import kept_back
from apps.kernel.errors import KanpuError
from apps.residents.models import Resident
from apps.residents.operations.messages import tell

KIND: Final = "glass_broken"
APPROVERS: Final = (Role.PROTECTED_OFFICER, Role.AUDITOR)


class GlassClosed(KanpuError):
    """The request is not in the state that this starts from."""

    code = "glass_closed"


class GlassAskedBefore(KanpuError):
    """The officer asked for this resident before, and nobody has answered."""

    code = "glass_asked_before"


class ReferenceUnknown(KanpuError):
    """No resident has this reference."""

    code = "reference_unknown"


def ask_to_break_glass(resident_ref: UUID, *, access: Access, minutes: int, at: datetime) -> BreakGlass:
    """Ask to see a resident; the access's purpose is the reason. Raises ReferenceUnknown and GlassAskedBefore."""
    if not Resident.objects.filter(pk=resident_ref).exists():
        raise ReferenceUnknown("No resident has this reference.")
    try:
        with transaction.atomic():
            glass = BreakGlass.objects.create(
                resident_ref=resident_ref, asked_by=access.actor, role=access.role, office=access.office,
                reason=access.purpose, case=access.case, minutes=minutes, asked_at=at,
            )  # fmt: skip
            _note("glass.ask", glass, before={}, at=at, actor=access.actor)
    except IntegrityError as error:
        raise GlassAskedBefore("You asked for this resident already: another officer answers.") from error
    return glass


@transaction.atomic
def break_glass(glass_id: int, *, role: Role, at: datetime, actor: str) -> BreakGlass:
    """Another officer, in one of APPROVERS' roles, lets the asker see the resident, who is told. The time begins.

    Raises SecondOfficer and GlassClosed.
    """
    glass = _locked(glass_id)
    if glass.approved_at:
        raise GlassClosed("This was approved before.")
    if glass.asked_by == actor or role not in APPROVERS:
        raise SecondOfficer("Another officer approves it: an auditor, or one for protected residents.")
    before = _state(glass)
    glass.approved_by, glass.approver_role, glass.approved_at = actor, role, at
    glass.ends_at = at + timedelta(minutes=glass.minutes)
    glass.save()
    _note("glass.break", glass, before=before, at=at, actor=actor)
    access = Access(glass.asked_by, glass.role, glass.office, glass.reason, glass.case)
    if not kept_back(access, [glass.resident_ref], at=at):
        tell_of_glass(glass, at=at)
    return glass


@transaction.atomic
def end_glass(glass_id: int, *, at: datetime, actor: str) -> BreakGlass:
    """Close it before its time, or refuse it. Raises GlassClosed."""
    glass = _locked(glass_id)
    if glass.ends_at and glass.ends_at <= at:
        raise GlassClosed("Its time is over.")
    before = _state(glass)
    glass.ended_by, glass.ended_at = actor, at
    glass.save(update_fields=["ended_by", "ended_at"])
    _note("glass.end", glass, before=before, at=at, actor=actor)
    return glass


def tell_of_glass(glass: BreakGlass, *, at: datetime) -> None:
    """A message to the resident: at once, or when the delay of the officer's notices is over."""
    tell([glass.resident_ref], KIND, at=at, once=f"glass {glass.pk}", office=glass.office, role=glass.role)


def _locked(glass_id: int) -> BreakGlass:
    glass = BreakGlass.objects.select_for_update().filter(pk=glass_id, ended_at=None).first()
    if glass is None:
        raise GlassClosed("There is no such request, or it is closed.")
    return glass


def _state(glass: BreakGlass) -> JsonObject:
    return {"approved_by": glass.approved_by, "ends_at": glass.ends_at, "ended_at": glass.ended_at}


def _note(action: str, glass: BreakGlass, *, before: JsonObject, at: datetime, actor: str) -> None:
    record_event(
        at=at, actor=actor, action=action, subject=f"resident:{glass.resident_ref}", purpose=glass.reason,
        detail={"glass": glass.pk, "minutes": glass.minutes, "office": glass.office}, before=before,
        after=_state(glass),
    )  # fmt: skip

"""How a till comes to a key of its own: a one-time code, and the public key that it registers with it."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from django.db import transaction

from apps.audit.operations import Cause, raise_alarms, record_event
from apps.audit.states import Change, state_of
from apps.kernel.errors import KanpuError
from apps.merchants.keys import enrolment_code_hash, new_enrolment_code
from apps.merchants.models import EnrolmentCode, Terminal, TerminalKey

CODE_VALID_FOR: Final = timedelta(hours=48)


class EnrolmentCodeInvalid(KanpuError):
    """The one-time code is unknown, used or expired."""

    code = "enrolment_code_invalid"


class IssuedCode(NamedTuple):
    """A new one-time code, which can be read this once."""

    enrolment_code: str
    expires_at: datetime


@transaction.atomic
def issue_enrolment_code(terminal_id: int, *, at: datetime, actor: str) -> IssuedCode:
    """A new one-time code for a terminal's till to register a key with. Codes not yet used end with it."""
    terminal = Terminal.objects.select_for_update(no_key=True).get(pk=terminal_id)
    terminal.enrolment_codes.filter(used_at=None, expires_at__gt=at).update(expires_at=at)
    issued = issue_codes([terminal], at=at)[terminal.code]
    change: Change = {"before": {}, "after": {"expires_at": issued.expires_at}}
    _record("terminal.code", terminal, {"expires_at": issued.expires_at.isoformat()}, change, at=at, actor=actor)
    return issued


def issue_codes(terminals: list[Terminal], *, at: datetime) -> dict[str, IssuedCode]:
    """A one-time code for each of these new terminals, by terminal code: one statement."""
    codes = {terminal: new_enrolment_code() for terminal in terminals}
    expires_at = at + CODE_VALID_FOR
    EnrolmentCode.objects.bulk_create(
        EnrolmentCode(terminal=terminal, sha256=enrolment_code_hash(code), expires_at=expires_at)
        for terminal, code in codes.items()
    )
    return {terminal.code: IssuedCode(code, expires_at) for terminal, code in codes.items()}


@transaction.atomic
def register_key(terminal_code: str, *, enrolment_code: str, public_key: bytes, at: datetime) -> None:
    """Make `public_key` (Ed25519, 32 bytes) the terminal's; from then on its batches must be sealed with it.

    A code is used once; registering the same key with it again changes nothing, since the first answer may have been
    lost. A key over an earlier one raises an alarm. Raises EnrolmentCodeInvalid.
    """
    found = Terminal.objects.select_for_update(no_key=True).filter(code=terminal_code)
    terminal = found.first()  # locked, so a code used twice at once is seen as used by the second
    code = EnrolmentCode.objects.filter(terminal=terminal, sha256=enrolment_code_hash(enrolment_code)).first()
    if terminal is None or code is None:
        raise EnrolmentCodeInvalid("Unknown one-time code.")
    if code.used_at and terminal.public_key and bytes(terminal.public_key) == public_key:
        return
    if code.used_at or code.expires_at <= at:
        raise EnrolmentCodeInvalid("The one-time code was used before or has expired.")
    code.used_at = at
    code.save(update_fields=["used_at"])
    if terminal.public_key is None or bytes(terminal.public_key) != public_key:
        _set_key(terminal, public_key, at=at)


def _set_key(terminal: Terminal, public_key: bytes, *, at: datetime) -> None:
    before = state_of(terminal)
    earlier = terminal.keys.filter(superseded_at=None).update(superseded_at=at)
    key = TerminalKey.objects.create(terminal=terminal, public_key=public_key, registered_at=at)
    terminal.public_key = public_key
    terminal.save(update_fields=["public_key"])
    detail: dict[str, object] = {"public_key": public_key.hex()}
    change: Change = {"before": before, "after": state_of(terminal)}
    _record("terminal.key", terminal, detail, change, at=at, actor=f"terminal:{terminal.code}")
    if earlier:
        raise_alarms([Cause("terminal_rekeyed", f"{terminal.code}:{key.pk}", detail)], at=at)


def _record(
    action: str, terminal: Terminal, detail: dict[str, object], change: Change, *, at: datetime, actor: str
) -> None:
    record_event(at=at, actor=actor, action=action, subject=f"terminal:{terminal.code}", detail=detail, **change)

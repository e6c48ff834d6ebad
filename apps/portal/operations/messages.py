"""What residents do with their messages, and what they ask of those who looked."""

from datetime import datetime

from apps.portal.viewer import Viewer
from apps.residents.models import AccessQuestion
from apps.residents.operations.mailing import (
    CodeWrong,
    confirm_contact,
    count_wrong_code,
    forget_contact,
    set_contact,
    set_wants,
)
from apps.residents.operations.messages import mark_read
from apps.residents.operations.questions import ask_why


def read_all(viewer: Viewer, *, up_to: int, at: datetime) -> int:
    """Mark everything that was shown as read."""
    return mark_read(viewer.ref, up_to=up_to, at=at)


def take_address(viewer: Viewer, email: str, *, wants: str, at: datetime) -> None:
    """Take an e-mail address, to be confirmed. Raises what `set_contact` raises."""
    set_contact(viewer.ref, email, wants=wants, at=at, actor=viewer.actor)


def confirm_address(viewer: Viewer, code: str, *, at: datetime) -> None:
    """Confirm the address by the code that was sent there. Raises CodeWrong; wrong codes are counted."""
    try:
        confirm_contact(viewer.ref, code, at=at, actor=viewer.actor)
    except CodeWrong:
        count_wrong_code(viewer.ref)
        raise


def choose_mails(viewer: Viewer, wants: str, *, at: datetime) -> None:
    """Which messages come by mail."""
    set_wants(viewer.ref, wants, at=at, actor=viewer.actor)


def forget_address(viewer: Viewer, *, at: datetime) -> None:
    """Give the address up."""
    forget_contact(viewer.ref, at=at, actor=viewer.actor)


def ask_about(viewer: Viewer, record_id: int, words: str, *, at: datetime) -> AccessQuestion:
    """Ask why somebody looked. Raises AccessUnknown for another's as well, and AskedBefore."""
    return ask_why(viewer.ref, record_id, words, at=at, actor=viewer.actor)

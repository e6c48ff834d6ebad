"""Letters with a code that came back."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from apps.audit.operations import record_event
from apps.kernel.errors import KanpuError
from apps.residents.models import Notice
from apps.residents.operations.messages import tell


class NoticeMissing(KanpuError):
    """No letter was printed under this number."""

    code = "notice_missing"


class NoticeReturned(KanpuError):
    """It is on record already that this letter came back."""

    code = "notice_returned"


@transaction.atomic
def record_returned(
    notice_id: int, *, resident_ref: UUID | None = None, office: str, at: datetime, actor: str
) -> Notice:
    """Record that a letter came back: its code is void for good. With `resident_ref` it must be that resident's.

    Raises NoticeMissing and NoticeReturned.
    """
    notices = Notice.objects.select_for_update().filter(pk=notice_id).exclude(printed_at=None)
    notice = (notices.filter(resident=resident_ref) if resident_ref else notices).first()
    if notice is None:
        raise NoticeMissing("No letter was printed under this number. Check the number on the letter.")
    if notice.returned_at:
        raise NoticeReturned("It is on record already that this letter came back.")
    spent_at = notice.spent_at
    notice.returned_at, notice.returned_by = at, actor
    notice.spent_at = notice.spent_at or at
    notice.save(update_fields=["returned_at", "returned_by", "spent_at"])
    record_event(
        at=at, actor=actor, action="notice.return", subject=f"resident:{notice.resident_id}",
        detail={"notice": notice.pk, "office": office}, before={"returned_at": None, "spent_at": spent_at},
        after={"returned_at": at, "spent_at": notice.spent_at},
    )  # fmt: skip
    tell([notice.resident_id], "letter_returned", at=at)
    return notice

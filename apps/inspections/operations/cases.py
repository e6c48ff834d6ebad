"""Opening a case from what was found."""

from datetime import datetime

from django.db import transaction

from apps.audit.operations import record_event
from apps.inspections.models import Case, Source


@transaction.atomic
def open_case(source: Source, source_id: int | None, *, subject: str, title: str, at: datetime, actor: str) -> Case:
    """Open a case, or return the open one that there is already of the same source and subject."""
    case, is_new = Case.objects.get_or_create(
        source=source, source_id=source_id, subject=subject, closed_at=None,
        defaults={"title": title, "opened_at": at, "opened_by": actor},
    )  # fmt: skip
    if is_new:
        record_event(
            at=at, actor=actor, action="case.open", subject=f"case:{case.pk}",
            detail={"source": source.value, "source_id": source_id, "subject": subject},
        )  # fmt: skip
    return case

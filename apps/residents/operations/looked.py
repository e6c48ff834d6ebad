"""Telling residents that somebody looked at their data, in the transaction that puts it on record."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from apps.audit.access import Access
from apps.audit.purposes import ROUTINE, counted_as
from apps.residents.operations.messages import tell


def tell_looked(access: Access, refs: Sequence[UUID], at: datetime) -> None:
    """One message for an officer, a purpose and a day; none of what is done for all, nor of who looks at their own.

    A purpose that was typed stays in the record: it may name somebody.
    """
    if access.purpose in ROUTINE:
        return
    day = timezone.localdate(at)
    once = hashlib.sha256(f"{access.actor}\n{access.purpose}\n{day}".encode()).hexdigest()
    purpose = counted_as(access.purpose)
    tell(sorted(set(refs)), "looked", at=at, once=once, office=access.office, role=access.role, purpose=purpose)

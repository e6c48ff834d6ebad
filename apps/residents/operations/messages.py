"""Telling residents that something happened."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from apps.residents.messages import KINDS
from apps.residents.models import Message


def tell(refs: Collection[UUID], kind: str, *, at: datetime, **detail: object) -> None:
    """Put a message of this kind into these residents' portals, in the caller's transaction."""
    if kind not in KINDS:
        raise AssertionError(f"{kind!r} is no kind of message.")
    Message.objects.bulk_create([Message(resident_ref=ref, kind=kind, detail=detail, at=at) for ref in refs])

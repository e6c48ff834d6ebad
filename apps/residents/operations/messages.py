"""Telling residents that something happened, in the transaction in which it does.

What goes into their portals goes into the outbox of e-mail as well, for those who want that kind by mail.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection

from apps.residents.messages import IMPORTANT, KINDS
from apps.residents.models import Message

# `found` gives (resident_ref, detail, once).
TELL: Final = """
INSERT INTO residents_message (resident_ref, kind, detail, once, at)
SELECT found.resident_ref, %(kind)s, found.detail, found.once, %(at)s::timestamptz FROM ({found}) AS found
ON CONFLICT (resident_ref, kind, once) WHERE NOT once = '' DO NOTHING"""
MAIL: Final = """
INSERT INTO residents_mail (message_id, resident_ref, due_at, tries)
SELECT told.id, told.resident_ref, %(at)s::timestamptz, 0
FROM {told} told JOIN residents_mailing m ON m.resident_id = told.resident_ref
WHERE m.confirmed_at IS NOT NULL AND (m.wants = 'all' OR (m.wants = 'important' AND %(important)s))"""
THESE: Final = (
    "SELECT resident_ref, detail, %(once)s AS once"
    " FROM unnest(%(refs)s::uuid[], %(details)s::jsonb[]) AS these (resident_ref, detail) ORDER BY resident_ref"
)
WITH_MAIL: Final = "WITH told AS ({} RETURNING id, resident_ref), mailed AS ({}) SELECT count(*) FROM told"
TELL_THESE: Final = WITH_MAIL.format(TELL.format(found=THESE), MAIL.format(told="told"))
MAIL_FOUND: Final = MAIL.format(told="residents_message") + " AND told.kind = %(kind)s AND told.at = %(at)s"


def tell(refs: Collection[UUID], kind: str, *, at: datetime, once: str = "", **detail: object) -> int:
    """Put a message of this kind into these residents' portals, in the caller's transaction. Returns how many.

    With `once` (up to 64 characters) who was told the same kind under it before is told nothing.
    """
    return tell_each([(ref, detail) for ref in refs], kind, at=at, once=once)


def tell_each(each: Sequence[tuple[UUID, Mapping[str, object]]], kind: str, *, at: datetime, once: str = "") -> int:
    """The same with particulars for each resident: one statement."""
    if not each:
        return 0
    details = [json.dumps(detail, ensure_ascii=False) for _, detail in each]
    these: dict[str, Any] = {"refs": [ref for ref, _ in each], "details": details, "once": once}
    with connection.cursor() as cursor:
        cursor.execute(TELL_THESE, {**these, **_values(kind, at)})
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def tell_found(found: str, values: Mapping[str, Any], kind: str, *, at: datetime) -> int:
    """The same for residents whom a query finds, as many as there are: one INSERT … SELECT, and one for their mails.

    `found` is the program's own text and gives resident_ref, detail (jsonb) and once (text); `values` are its own. Two
    statements, for a cluster takes no WITH that writes beside tables that it spreads.
    """
    with connection.cursor() as cursor:
        cursor.execute(TELL.format(found=found), {**values, **_values(kind, at)})
        told = cursor.rowcount
        cursor.execute(MAIL_FOUND, _values(kind, at))
    return int(told)


def _values(kind: str, at: datetime) -> dict[str, Any]:
    if kind not in KINDS:
        raise AssertionError(f"{kind!r} is no kind of message.")
    return {"kind": kind, "at": at, "important": kind in IMPORTANT}


def mark_read(ref: UUID, *, up_to: int, at: datetime) -> int:
    """Mark a resident's messages as read, up to the newest that was shown. Returns how many were not."""
    return Message.objects.filter(resident_ref=ref, read_at=None, pk__lte=up_to).update(read_at=at)

"""As what somebody acts for another resident, and what they may do. Pure."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

SEE: Final = "see"
DISPUTE: Final = "dispute"
PAYMENT: Final = "payment"
RIGHTS: Final = (SEE, DISPUTE, PAYMENT)


class Relation(StrEnum):
    """Why somebody may act: named by the resident, as guardian, or as the parent who is paid a child's share."""

    NAMED = "named"
    GUARDIAN = "guardian"
    PARENT = "parent"


@dataclass(frozen=True, slots=True)
class Grant:
    """What one resident may do for another now.

    `key` names it among the grants of who acts; `proxy_id` is None for parents. `shows_name`: the name of the resident
    may be read to them.
    """

    key: str
    resident_ref: UUID
    relation: Relation
    rights: frozenset[str]
    shows_name: bool
    proxy_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What a proxy is given, and until when. A guardian is recorded on a document of a kind and a date."""

    rights: frozenset[str]
    until: datetime
    shows_name: bool = False
    document: str = ""
    document_date: date | None = None

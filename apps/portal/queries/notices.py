"""Who is to get a letter that the card is ready."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from apps.merchants.models import Mode
from apps.portal.models import Account
from apps.residents.models import Card, Notice, Resident

FIRST: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Whose letters are wanted: one resident's, a municipality's, or all; protected ones are printed by themselves."""

    resident_ref: UUID | None = None
    municipality: str = ""
    protected: bool = False


class Due(NamedTuple):
    """A resident who is to get a letter; `to_fetch` when a card lies at a window for them."""

    ref: UUID
    language: str
    to_fetch: bool


def due(chosen: Chosen, *, now: datetime) -> "QuerySet[Any]":
    """Residents with a good card who have neither a sign-in nor a letter whose code is good.

    One resident by reference is due whatever there is of sign-ins and letters: that is how a lost password is mended.
    """
    cards = Card.objects.filter(resident=OuterRef("pk"), replaced_from=None, valid_until__gt=now)
    found = Resident.objects.filter(Exists(cards), is_protected=chosen.protected).annotate(
        to_fetch=Exists(cards.filter(active_from=None))
    )
    if chosen.resident_ref:
        return found.filter(pk=chosen.resident_ref)
    if chosen.municipality:
        found = found.filter(municipality=chosen.municipality)
    letters = Notice.objects.filter(resident=OuterRef("pk"), spent_at=None, expires_at__gt=now)
    return found.filter(
        ~Exists(letters),
        ~Exists(Account.objects.filter(resident_ref=OuterRef("pk"))),
        Q(resident_to=None) | Q(resident_to__gt=timezone.localdate(now)),
        mode=Mode.LIVE,
    )


def due_in_batches(chosen: Chosen, *, now: datetime, size: int) -> Iterator[list[Due]]:
    """The same by reference, some at a time, each resident once; flat in memory."""
    after = FIRST
    while True:
        rows = due(chosen, now=now).filter(pk__gt=after).order_by("pk").values_list("pk", "language", "to_fetch")
        batch = [Due(*row) for row in rows[:size]]
        if not batch:
            return
        yield batch
        after = batch[-1].ref

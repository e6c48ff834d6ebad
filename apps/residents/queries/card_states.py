"""A resident's cards with their states."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from apps.residents.models import Card, CardOrder, CardSuspension


class State(StrEnum):
    """What a card is at a time."""

    ISSUED = "issued"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    REPLACED = "replaced"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class CardState:
    """A card, what it is now, and the suspension that is open, if one is."""

    card: Card
    state: State
    suspension: CardSuspension | None


def cards_of(resident_ref: UUID, *, now: datetime) -> list[CardState]:
    """The resident's cards, the newest first: two queries."""
    cards = Card.objects.filter(resident=resident_ref).order_by("-valid_from", "-pk").prefetch_related("suspensions")
    return [_state_of(card, now) for card in cards]


def open_order_of(resident_ref: UUID) -> CardOrder | None:
    """The card that is on its way to the resident, if one was ordered."""
    return CardOrder.objects.filter(resident=resident_ref, card=None, cancelled_at=None).first()


def _state_of(card: Card, now: datetime) -> CardState:
    suspension = next((span for span in card.suspensions.all() if span.lifted_at is None), None)
    if card.valid_until <= now:
        state = State.EXPIRED
    elif card.replaced_from and card.replaced_from <= now:
        state = State.REPLACED
    elif card.active_from is None or now < card.active_from:
        state = State.ISSUED
    else:
        state = State.SUSPENDED if suspension else State.ACTIVE
    return CardState(card, state, suspension)

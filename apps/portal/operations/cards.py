"""What residents do with their cards: report them lost, have them again, order another."""

from datetime import datetime

from apps.portal.viewer import Viewer
from apps.residents.models import Card, CardOrder, CardSuspension
from apps.residents.operations.card_life import CardMissing, order_card, resume_card, suspend_cards

PORTAL = CardSuspension.Channel.PORTAL


def report_lost(viewer: Viewer, *, lost_since: datetime, at: datetime) -> list[CardSuspension]:
    """Suspend all cards that the resident has. Raises LostInTheFuture and CardMissing."""
    return suspend_cards(viewer.ref, lost_since=lost_since, channel=PORTAL, at=at, actor=viewer.actor)


def resume_own(viewer: Viewer, card_id: int, *, at: datetime) -> CardSuspension:
    """The resident has the card again. Raises CardMissing for another's as well, CardNotSuspended."""
    if not Card.objects.filter(pk=card_id, resident=viewer.ref).exists():
        raise CardMissing("The resident has no such card.")
    return resume_card(card_id, channel=PORTAL, at=at, actor=viewer.actor)


def order_another(viewer: Viewer, *, reason: CardOrder.Reason, at: datetime) -> CardOrder:
    """Order a card in place of the resident's, once. Raises CardMissing for who has none."""
    ref = viewer.ref
    if not Card.objects.filter(resident=ref).exists():
        raise CardMissing("The resident has no card yet: the first one comes by itself.")
    return order_card(ref, reason=reason, at=at, actor=viewer.actor)

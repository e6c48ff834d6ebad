"""What residents do with their cards: report them lost, have them again, order another."""

from datetime import datetime

from django.contrib.auth.models import AnonymousUser, User

from apps.portal.operations.decisions import ACTOR
from apps.portal.queries.accounts import resident_of
from apps.residents.models import Card, CardOrder, CardSuspension
from apps.residents.operations.card_life import CardMissing, order_card, resume_card, suspend_cards

PORTAL = CardSuspension.Channel.PORTAL


def report_lost(user: User | AnonymousUser, *, lost_since: datetime, at: datetime) -> list[CardSuspension]:
    """Suspend all cards that the resident has. Raises NoAccount, LostInTheFuture and CardMissing."""
    return suspend_cards(resident_of(user), lost_since=lost_since, channel=PORTAL, at=at, actor=ACTOR)


def resume_own(user: User | AnonymousUser, card_id: int, *, at: datetime) -> CardSuspension:
    """The resident has the card again. Raises NoAccount, CardMissing for another's as well, CardNotSuspended."""
    if not Card.objects.filter(pk=card_id, resident=resident_of(user)).exists():
        raise CardMissing("The resident has no such card.")
    return resume_card(card_id, channel=PORTAL, at=at, actor=ACTOR)


def order_another(user: User | AnonymousUser, *, reason: CardOrder.Reason, at: datetime) -> CardOrder:
    """Order a card in place of the resident's, once. Raises NoAccount, and CardMissing for who has none."""
    ref = resident_of(user)
    if not Card.objects.filter(resident=ref).exists():
        raise CardMissing("The resident has no card yet: the first one comes by itself.")
    return order_card(ref, reason=reason, at=at, actor=ACTOR)

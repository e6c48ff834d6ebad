"""The resident's own cards."""

from dataclasses import dataclass
from uuid import UUID

from django.utils import timezone

from apps.residents.models import CardOrder, CardSuspension
from apps.residents.queries.card_states import CardState, State, cards_of, open_order_of


@dataclass(frozen=True, slots=True)
class CardsPage:
    """The cards, the newest first, and the order of another one that is open, if there is one."""

    cards: list[CardState]
    order: CardOrder | None

    @property
    def good(self) -> list[CardState]:
        """Those that have not ended: they can be reported lost, or lost since an earlier time."""
        return [card for card in self.cards if card.state not in (State.REPLACED, State.EXPIRED)]

    @property
    def all_lost(self) -> bool:
        """Whether each of them was reported already."""
        return all(card.suspension for card in self.good)


def own_cards(ref: UUID) -> CardsPage:
    """The resident's cards now."""
    return CardsPage(cards_of(ref, now=timezone.now()), open_order_of(ref))


def is_suspended(resident_ref: UUID) -> bool:
    """Whether a card of the resident's is suspended: one query."""
    open_ones = CardSuspension.objects.filter(lifted_at=None, card__replaced_from=None)
    return open_ones.filter(card__resident=resident_ref, card__valid_until__gt=timezone.now()).exists()

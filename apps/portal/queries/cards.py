"""The resident's own cards."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from uuid import UUID

from django.db.models import DateTimeField, UUIDField
from django.utils import timezone

from apps.kernel.database import Ask, Place, Statement, sql_of
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


def ask_suspended(resident_ref: UUID, *, at: datetime) -> Ask:
    """How many suspensions of the resident's cards are open: a row with a number."""
    return Ask(_suspended(), (str(resident_ref), at.isoformat()))


@cache
def _suspended() -> Statement:
    open_ones = CardSuspension.objects.filter(lifted_at=None, card__replaced_from=None)
    own = open_ones.filter(card__resident=Place(1, UUIDField()), card__valid_until__gt=Place(2, DateTimeField()))
    return Statement(f"SELECT count(*) FROM ({sql_of(own.values('pk'))}) open")  # noqa: S608

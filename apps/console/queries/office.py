"""What the pages of an opened resident show."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.residents.models import CardOrder, RegisterEvent, Resident
from apps.residents.operations.card_life import CardMissing
from apps.residents.queries.accounts import AccountsShown
from apps.residents.queries.card_states import CardState, State, cards_of, open_order_of
from apps.residents.queries.histories import Home, homes_of, paused_since, register_events_of
from apps.residents.vault.contents import Person

Kind = RegisterEvent.Kind
KINDS: Final[dict[str, Promise]] = {
    Kind.REGISTER: _("entered in the register"),
    Kind.BIRTH: _("birth"),
    Kind.MOVE_IN: _("moved in"),
    Kind.MOVE_OUT: _("moved away"),
    Kind.DEATH: _("death"),
    Kind.NUMBER: _("individual number changed"),
    Kind.CODE: _("resident code changed"),
    Kind.NAME: _("name changed"),
    Kind.ADDRESS: _("address changed"),
    Kind.HOUSEHOLD: _("household changed"),
    Kind.MARRIAGE: _("marriage"),
    Kind.DIVORCE: _("divorce"),
    Kind.ATTRIBUTE: _("particulars for refunds changed"),
    Kind.PROTECTION: _("protection changed"),
    Kind.CORRECTION: _("correction"),
    Kind.ERASURE: _("erased"),
}


@dataclass(frozen=True, slots=True)
class CardsPage:
    """Cards, the newest first, and the order that is open. `can_suspend` says whether a card is good for that."""

    cards: tuple[CardState, ...]
    order: CardOrder | None
    can_suspend: bool


@dataclass(frozen=True, slots=True)
class HandOverPage:
    """The card that is handed over, whose it is, and whether another card ends with it."""

    card: CardState
    person: Person | None
    ends_another: bool


@dataclass(frozen=True, slots=True)
class AccountPage:
    """Where refunds go; the registered names, if a holder's name is to be compared with them."""

    accounts: AccountsShown
    person: Person | None


@dataclass(frozen=True, slots=True)
class ChoicesPage:
    """Since when purchases are not recorded, if they are not."""

    paused_since: datetime | None


@dataclass(frozen=True, slots=True)
class HouseholdPage:
    """Days of residence, stays in households, and events of the register with their kinds in words."""

    resident_from: date
    resident_to: date | None
    homes: tuple[Home, ...]
    events: tuple[tuple[RegisterEvent, str | Promise], ...]


def cards_page(resident_ref: UUID, *, now: datetime) -> CardsPage:
    """Three queries."""
    cards = tuple(cards_of(resident_ref, now=now))
    can_suspend = any(card.state not in (State.EXPIRED, State.REPLACED) for card in cards)
    return CardsPage(cards, open_order_of(resident_ref), can_suspend)


def hand_over_page(resident_ref: UUID, card_id: int, person: Person | None, *, now: datetime) -> HandOverPage:
    """Two queries. Raises CardMissing when the card is not the resident's, or was handed over."""
    cards = cards_of(resident_ref, now=now)
    card = next((card for card in cards if card.card.pk == card_id and card.state == State.ISSUED), None)
    if card is None:
        raise CardMissing("The resident has no such card that waits to be handed over.")
    ends_another = any(other.state in (State.ACTIVE, State.SUSPENDED) for other in cards)
    return HandOverPage(card, person, ends_another)


def choices_page(resident_ref: UUID) -> ChoicesPage:
    """One query."""
    return ChoicesPage(paused_since(resident_ref))


def household_page(resident_ref: UUID) -> HouseholdPage:
    """Three queries."""
    resident = Resident.objects.get(pk=resident_ref)
    events = tuple((event, KINDS.get(event.kind, event.kind)) for event in register_events_of(resident_ref))
    return HouseholdPage(resident.resident_from, resident.resident_to, tuple(homes_of(resident_ref)), events)


def is_protected(resident_ref: UUID) -> bool:
    """Whether only named officers may open the resident: one query."""
    return Resident.objects.filter(pk=resident_ref, is_protected=True).exists()

"""Reading the register, cards and keys. Who somebody is, is read through `queries.vault` only."""

from apps.residents.queries.cards import cards_by_index, cards_by_number, published_cards, residents_without_card
from apps.residents.queries.keys import checked_keyring, sealing_keys
from apps.residents.queries.register import (
    Registered,
    askings,
    days_of_residents,
    mode_of_resident,
    registered_in,
    was_resident,
)

__all__ = [
    "Registered",
    "askings",
    "cards_by_index",
    "cards_by_number",
    "checked_keyring",
    "days_of_residents",
    "mode_of_resident",
    "published_cards",
    "registered_in",
    "residents_without_card",
    "sealing_keys",
    "was_resident",
]

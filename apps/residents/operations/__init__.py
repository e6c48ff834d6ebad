"""What changes the register: residents and their households, cards, keys."""

from apps.residents.operations.cards import issue_cards
from apps.residents.operations.keys import KeysExist, make_keys
from apps.residents.operations.registering import (
    Home,
    hold_register,
    place_in_households,
    register_residents,
    set_attributes,
)
from apps.residents.operations.secret_files import FileExists

__all__ = [
    "FileExists",
    "Home",
    "KeysExist",
    "hold_register",
    "issue_cards",
    "make_keys",
    "place_in_households",
    "register_residents",
    "set_attributes",
]

"""What the vault holds of a resident. Pure."""

import unicodedata
from datetime import date
from typing import Final

import msgspec

TABLE: Final = "residents_vaultrecord"
CARD_TABLE: Final = "residents_card"
HOUSEHOLD_TABLE: Final = "residents_householdindex"
PHOTO_TABLE: Final = "residents_photo"
ACCOUNT_TABLE: Final = "residents_paymentaccount"
KATAKANA: Final = {code: code + 0x60 for code in range(ord("ぁ"), ord("ゖ") + 1)}


class Person(msgspec.Struct, frozen=True, array_like=True):
    """Names as the register has them, whatever characters they need, and the day of birth."""

    name: str
    name_kana: str
    name_latin: str
    birth_date: date
    name_alias: str = ""
    former_name: str = ""


class Address(msgspec.Struct, frozen=True, array_like=True):
    """Where letters go."""

    postal_code: str
    address: str


class Account(msgspec.Struct, frozen=True, array_like=True):
    """A bank account: bank (4 digits), branch (3), type (1 ordinary, 2 current, 4 savings), number (7), holder.

    Payment accounts have it sealed in rows of their own, not the vault's row.
    """

    bank: str
    branch: str
    type: str
    number: str
    holder: str


class Identity(msgspec.Struct, frozen=True):
    """All that the vault's row holds of a resident; what is not known, or was not asked for, is None."""

    individual_number: str | None = None
    resident_code: str | None = None
    person: Person | None = None
    address: Address | None = None
    contact: str | None = None  # an e-mail address


COLUMNS: Final = Identity.__struct_fields__


def person_key(name_kana: str, birth_date: date) -> str:
    """What a person is found by who tells name and birth date: spacing, width and kind of kana do not matter."""
    return f"{folded(name_kana)}\n{birth_date.isoformat()}"


def is_somebody_else(known: Person, said: Person | None) -> bool:
    """Whether neither birth date nor any name is the known one's: two people, not one of whom something changed."""
    if said is None or said.birth_date == known.birth_date:
        return False
    names = {known.name, known.name_kana, known.name_alias, known.former_name}
    told = {said.name, said.name_kana} | ({said.former_name} - {known.former_name})
    return not {folded(name) for name in names if name} & {folded(name) for name in told if name}


def folded(text: str) -> str:
    """A text for comparing: NFKC, upper case, hiragana as katakana, without spaces, dots and dashes."""
    katakana = unicodedata.normalize("NFKC", text).upper().translate(KATAKANA).replace(" ", "")
    return katakana if katakana.isalnum() else "".join(c for c in katakana if c.isalnum())

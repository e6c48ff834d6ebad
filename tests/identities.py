"""Who residents are, entered in the vault as the import does."""

from datetime import date
from uuid import UUID

from apps.residents.operations.vault import new_vault_record
from apps.residents.queries.vault import checked_vault_keys
from apps.residents.vault.contents import Address, Identity, Person

BORN = date(1990, 4, 1)


def enter(
    ref: UUID, *, name: str = "𠮷田 髙子", address: str = "東京都千代田区千代田1-1", born: date = BORN, alias: str = ""
) -> None:
    """A resident's names, birth date and address."""
    person = Person(name, "ヨシダ タカコ", "YOSHIDA TAKAKO", born, alias)
    new_vault_record(checked_vault_keys(), ref, Identity(person=person, address=Address("100-0001", address))).save()

"""Residents whom the vault knows."""

from datetime import date
from uuid import UUID

from apps.audit.access import Access
from apps.residents.models import VaultRecord
from apps.residents.operations.vault import new_vault_record
from apps.residents.queries.vault import checked_vault_keys
from apps.residents.vault.contents import Address, Identity, Person

DESK = Access("helen", "helpdesk", "Helpdesk", "card lost")
BORN = date(1980, 2, 3)
HOME = Address("154-0024", "東京都世田谷区三軒茶屋二丁目11番3号")


def enter(
    ref: UUID, *, number: str = "", code: str = "", kana: str = "ヤマダ タロウ", address: Address = HOME
) -> VaultRecord:
    """A vault row for a resident."""
    person = Person("山田 太郎", kana, "YAMADA TARO", BORN)
    identity = Identity(number or None, code or None, person, address)
    row = new_vault_record(checked_vault_keys(), ref, identity)
    row.save(force_insert=True)
    return row

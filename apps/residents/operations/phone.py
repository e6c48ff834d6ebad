"""Suspending a lost card by telephone: with name, birth date and address alone, which shows nothing."""

from datetime import date, datetime

from apps.audit.access import Access
from apps.kernel.errors import KanpuError
from apps.residents.operations.card_life import Channel, suspend_cards
from apps.residents.queries.vault import read_vault, residents_named
from apps.residents.vault.contents import folded


def suspend_by_phone(
    *, name: str, birth_date: date, address: str, lost_since: datetime, access: Access, at: datetime
) -> bool:
    """Suspend the cards of the one who has this name, birth date, and address or postal code. Whether any was."""
    found = read_vault(residents_named(name, birth_date), ["address"], access=access, at=at)
    told = folded(address)
    for ref, identity in found.items():
        home = identity.address
        if home and told in (folded(home.postal_code), folded(home.address)):
            try:
                suspend_cards(ref, lost_since=lost_since, channel=Channel.PHONE, at=at, actor=access.actor)
            except KanpuError:
                return False
            return True
    return False

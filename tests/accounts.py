"""Accounts that residents name in tests."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from apps.residents.models import CardSuspension, PaymentAccount
from apps.residents.operations.accounts import name_account
from apps.residents.vault.contents import Account

NAMED: Final = datetime(2026, 4, 1, 3, tzinfo=UTC)
DAY: Final = timedelta(days=1)
MIZUHO: Final = Account("0001", "004", "1", "1234567", "ヨシダ ハナコ")
POST: Final = Account("9900", "058", "1", "7654321", "YOSHIDA HANAKO")
STRANGERS: Final = Account("0005", "001", "2", "9988776", "ワルイ タロウ")


def name(ref: UUID, account: Account = MIZUHO, *, at: datetime = NAMED, actor: str = "resident") -> PaymentAccount:
    """A resident names an account in the portal."""
    return name_account(ref, account, channel=CardSuspension.Channel.PORTAL, at=at, actor=actor)

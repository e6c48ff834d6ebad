"""An account as pages show it: by the names of bank and branch, and no more of its number than it is known by. Pure."""

from typing import NamedTuple

from apps.residents.accounts.directory import BankUnknown, Listed, bank_of, branch_of
from apps.residents.vault.contents import Account


class Shown(NamedTuple):
    """An account with the names of its bank and branch, by code alone where the list of banks has them no more."""

    bank: Listed
    branch: Listed
    type: str
    number: str
    holder: str
    is_listed: bool

    @property
    def last_digits(self) -> str:
        """Enough of the number for who knows it."""
        return self.number[-3:]


def shown(account: Account) -> Shown:
    """The account with names; a branch may have been merged into another since it was named."""
    try:
        bank, branch, is_listed = bank_of(account.bank), branch_of(account.bank, account.branch), True
    except BankUnknown:
        bank, branch = (Listed(code, code, "", "") for code in (account.bank, account.branch))
        is_listed = False
    return Shown(bank, branch, account.type, account.number, account.holder, is_listed)

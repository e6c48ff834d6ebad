"""Where the resident's refund goes, and what was paid."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from apps.portal.queries.acting import access_of
from apps.portal.viewer import Viewer
from apps.refunds.queries.settlements import Balance, all_balances_of
from apps.residents.accounts.holder import HolderCheck, holder_check
from apps.residents.queries.accounts import AccountsShown, Hold, look_at_accounts
from apps.residents.queries.vault import read_vault
from apps.residents.vault.contents import Account
from apps.schemes.document import Scheme
from apps.schemes.queries import scheme_of


@dataclass(frozen=True, slots=True)
class Payment:
    """A refund of a year and what became of it, in its scheme's currency."""

    balance: Balance
    scheme: Scheme


@dataclass(frozen=True, slots=True)
class PaymentPage:
    """The resident's accounts, and all refunds, the newest first."""

    accounts: AccountsShown
    payments: tuple[Payment, ...]

    @property
    def waits(self) -> str:
        """For what a refund that is due waits, if for anything: as `residents.queries.accounts.Hold`."""
        if self.accounts.current is None:
            return Hold.MISSING
        return Hold.UNDER_REVIEW if self.accounts.current.under_review else ""

    @property
    def is_public(self) -> bool:
        """Whether refunds go, or are to go, to the public account."""
        return any(entry and entry.row.kind == "public" for entry in (self.accounts.current, self.accounts.pending))


def own_payment(viewer: Viewer, *, at: datetime) -> PaymentPage:
    """The page of payments. That it was looked at is on record. Raises what `read_vault` raises."""
    refunds = (Payment(each, scheme_of(each.refund.scheme_version)) for each in all_balances_of(viewer.ref))
    return PaymentPage(look_at_accounts(viewer.ref, access=access_of(viewer), at=at), tuple(refunds))


def name_to_compare(viewer: Viewer, account: Account, *, at: datetime) -> HolderCheck:
    """Whether the holder is the registered name; that the register was looked at is on record."""
    ref: UUID = viewer.ref
    identity = read_vault([ref], ["person"], access=access_of(viewer), at=at).get(ref)
    person = identity.person if identity else None
    return holder_check(account.holder, person) if person else HolderCheck.DIFFERS

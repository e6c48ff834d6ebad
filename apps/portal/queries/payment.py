"""Where the resident's refund goes, and what was paid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from apps.payouts.models import Obligation
from apps.payouts.queries.shown import PaymentShown, payments_of, shares_paid_to
from apps.portal.queries.acting import access_of
from apps.portal.queries.household import names_of
from apps.portal.viewer import Viewer
from apps.refunds.queries.settlements import Balance, all_balances_of
from apps.residents.accounts.holder import HolderCheck, holder_check
from apps.residents.accounts.shown import Shown
from apps.residents.models import Resident
from apps.residents.queries.accounts import AccountsShown, Hold, look_at_accounts
from apps.residents.queries.vault import read_vault
from apps.residents.vault.contents import Account
from apps.schemes.document import Scheme
from apps.schemes.queries import scheme_of, started_years


@dataclass(frozen=True, slots=True)
class Paid:
    """A payment with the account that it goes to, as far as that is the reader's own.

    `named_at`: when the reader named the account that takes its place, after the payment was made.
    """

    shown: PaymentShown
    account: Shown | None
    named_at: datetime | None

    @property
    def is_own(self) -> bool:
        """Whether it is paid to the one who is owed it."""
        return self.shown.obligation.payee_kind == Obligation.Payee.RESIDENT


@dataclass(frozen=True, slots=True)
class Payment:
    """A refund of a year and what became of it, in its scheme's currency; `paid` is None before it is handed over."""

    balance: Balance
    scheme: Scheme
    paid: Paid | None


@dataclass(frozen=True, slots=True)
class Share:
    """What another is owed that is paid to the reader; `name` is empty where the vault has none."""

    name: str
    scheme: Scheme
    paid: Paid


@dataclass(frozen=True, slots=True)
class PaymentPage:
    """The resident's accounts, all refunds, and what others are owed that goes to the resident; the newest first."""

    accounts: AccountsShown
    payments: tuple[Payment, ...]
    shares: tuple[Share, ...]

    @property
    def waits(self) -> str:
        """For what refunds that are due wait, if for anything: as `residents.queries.accounts.Hold`."""
        if self.accounts.current is None:
            return Hold.MISSING
        return Hold.UNDER_REVIEW if self.accounts.current.under_review else ""

    @property
    def is_public(self) -> bool:
        """Whether refunds go, or are to go, to the public account."""
        return any(entry and entry.row.kind == "public" for entry in (self.accounts.current, self.accounts.pending))


def own_payment(viewer: Viewer, *, at: datetime) -> PaymentPage:
    """The page of payments: a fixed number of queries. That it was looked at is on record.

    What others are owed is not shown to who acts for the resident. Raises what `read_vault` raises.
    """
    owed, shares = payments_of(viewer.ref), _seen(shares_paid_to(viewer.ref)) if viewer.grant is None else []
    rows = {shown.account_id for shown in (*owed, *shares) if shown.account_id}
    accounts = look_at_accounts(viewer.ref, access=access_of(viewer), at=at, also=rows)
    paid = {(one.obligation.tax_year, one.obligation.run): _paid(one, accounts) for one in owed}
    payments = (
        Payment(each, scheme_of(each.refund.scheme_version), paid.get((each.refund.tax_year, each.refund.run)))
        for each in all_balances_of(viewer.ref)
    )
    names = names_of(sorted({one.obligation.resident_ref for one in shares}), at)
    return PaymentPage(accounts, tuple(payments), tuple(_shares(shares, names, accounts)))


def _seen(shares: Sequence[PaymentShown]) -> list[PaymentShown]:
    """Without those of protected residents, who are hidden from their household."""
    refs = {one.obligation.resident_ref for one in shares}
    hidden = set(Resident.objects.filter(pk__in=refs, is_protected=True).values_list("pk", flat=True)) if refs else ()
    return [one for one in shares if one.obligation.resident_ref not in hidden]


def _shares(shares: Sequence[PaymentShown], names: Mapping[UUID, str], accounts: AccountsShown) -> list[Share]:
    schemes = {year.year: scheme_of(year.scheme_version_id) for year in started_years()} if shares else {}
    return [
        Share(names.get(one.obligation.resident_ref, ""), schemes[one.obligation.tax_year], _paid(one, accounts))
        for one in shares
    ]


def _paid(shown: PaymentShown, accounts: AccountsShown) -> Paid:
    attempt, newer = shown.attempt, accounts.pending or accounts.current
    if attempt is None or shown.account_id is None:
        return Paid(shown, None, None)
    is_moved = newer is not None and newer.row.pk != attempt.account_id
    named_at = newer.row.requested_at if newer and is_moved else None
    until = attempt.changed_at if attempt.said else None
    is_later = named_at is not None and named_at > attempt.batch.made_at and (until is None or named_at <= until)
    return Paid(shown, accounts.named.get(shown.account_id), named_at if is_later else None)


def name_to_compare(viewer: Viewer, account: Account, *, at: datetime) -> HolderCheck:
    """Whether the holder is the registered name; that the register was looked at is on record."""
    ref: UUID = viewer.ref
    identity = read_vault([ref], ["person"], access=access_of(viewer), at=at).get(ref)
    person = identity.person if identity else None
    return holder_check(account.holder, person) if person else HolderCheck.DIFFERS

"""Where refunds are paid to: the accounts of a resident, of whom is to be paid, and those that wait for a clerk."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

import msgspec
from django.core.paginator import Page, Paginator
from django.db.models import Q, QuerySet

from apps.audit.access import Access
from apps.audit.operations import record_accesses
from apps.residents.accounts.holder import HolderCheck
from apps.residents.accounts.shown import Shown, shown
from apps.residents.models import PaymentAccount
from apps.residents.models.accounts import STANDING
from apps.residents.queries.vault import checked_vault_keys
from apps.residents.vault.contents import ACCOUNT_TABLE, Account
from apps.residents.vault.keys import VaultKeys
from apps.residents.vault.sealing import Place, unseal

A_PAGE: Final = 50
EARLIER_SHOWN: Final = 5
State = PaymentAccount.State
Kind = PaymentAccount.Kind


class Hold(StrEnum):
    """Why a refund cannot be paid yet."""

    MISSING = "missing"
    UNDER_REVIEW = "under_review"


class Payable(NamedTuple):
    """Where a refund goes at a time. `account_id` names the account for good: a row never says another one later.

    Of a consent (`public`) the account is asked for when it is paid. With a `hold` nothing may be paid.
    """

    account_id: UUID | None
    kind: str
    hold: Hold | None


@dataclass(frozen=True, slots=True)
class Accounts:
    """The account in force, the one that is to take its place, and all rows, the newest first."""

    current: PaymentAccount | None
    pending: PaymentAccount | None
    rows: tuple[PaymentAccount, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A row with its account in names: None for a consent, and for what was erased or is over."""

    row: PaymentAccount
    state: State
    shown: Shown | None

    @property
    def under_review(self) -> bool:
        """Whether a clerk compares the holder's name first."""
        return self.row.holder_check == HolderCheck.DIFFERS


@dataclass(frozen=True, slots=True)
class AccountsShown:
    """The account in force, the change that waits, the newest of what was before; and by row what was asked for."""

    current: Entry | None
    pending: Entry | None
    earlier: tuple[Entry, ...]
    named: Mapping[UUID, Shown]

    @property
    def to_review(self) -> tuple[Entry, ...]:
        """Those of the first two whose holder's name a clerk compares."""
        return tuple(entry for entry in (self.current, self.pending) if entry and entry.under_review)


def accounts_of(resident_ref: UUID, *, at: datetime) -> Accounts:
    """A resident's accounts, without what is sealed of them: one query."""
    rows = tuple(PaymentAccount.objects.filter(resident=resident_ref).defer("content").order_by("-requested_at", "-pk"))
    by_state = {row.state_at(at): row for row in reversed(rows)}
    return Accounts(by_state.get(State.ACTIVE), by_state.get(State.PENDING), rows)


def look_at_accounts(resident_ref: UUID, *, access: Access, at: datetime, also: Collection[UUID] = ()) -> AccountsShown:
    """A resident's accounts as pages show them; that somebody looks is on record. Raises what `read_vault` raises.

    `also` are further rows to open, as far as they are the resident's own.
    """
    found = accounts_of(resident_ref, at=at)
    live = {row.pk for row in (found.current, found.pending) if row}
    sealed = [row.pk for row in found.rows if row.key_version and (row.pk in live or row.pk in also)]
    opened = open_accounts(sealed, access=access, at=at) if sealed else {}
    named = {pk: shown(account) for pk, account in opened.items()}
    entries = {
        row.pk: Entry(row, row.state_at(at), named.get(row.pk) if row.pk in live else None) for row in found.rows
    }
    current = entries.pop(found.current.pk) if found.current else None
    pending = entries.pop(found.pending.pk) if found.pending else None
    return AccountsShown(current, pending, tuple(entries.values())[:EARLIER_SHOWN], named)


def account_for_payment(refs: Collection[UUID], at: datetime) -> dict[UUID, Payable]:
    """Where the refunds of these residents go at a time: one query, whose answer has each of them."""
    found = {ref: Payable(None, "", Hold.MISSING) for ref in refs}
    rows = PaymentAccount.objects.filter(STANDING, resident__in=list(refs), valid__contains=at)
    usable = rows.filter(Q(kind=Kind.PUBLIC) | Q(content__isnull=False))
    for pk, ref, kind, check in usable.values_list("pk", "resident_id", "kind", "holder_check"):
        found[ref] = Payable(pk, kind, Hold.UNDER_REVIEW if check == HolderCheck.DIFFERS else None)
    return found


def open_accounts(account_ids: Sequence[UUID], *, access: Access, at: datetime) -> dict[UUID, Account]:
    """What these rows say, by their ids; consents and erased ones are left out.

    The access is on record before anything is opened: this may not run in a transaction. Raises what `read_vault`
    raises.
    """
    checked_vault_keys()
    rows = PaymentAccount.objects.filter(pk__in=account_ids, content__isnull=False)
    refs = rows.values_list("resident_id", flat=True).distinct().order_by("resident_id")
    record_accesses(access, list(refs), what="vault:account", at=at)
    sealed = list(rows.values_list("pk", "content"))
    keys = checked_vault_keys()  # after the rows, as in read_vault
    return {pk: opened_account(keys, pk, content) for pk, content in sealed if content}


def opened_account(keys: VaultKeys, account_id: UUID, content: bytes | memoryview) -> Account:
    """One row's account. For operations that have recorded their access, or show nothing of it."""
    plain = unseal(keys, Place(ACCOUNT_TABLE, "content", str(account_id)), bytes(content))
    return msgspec.json.decode(plain, type=Account)


def waiting_account(account_id: UUID) -> PaymentAccount | None:
    """An account that waits for a review, by its id: one query."""
    return _waiting().filter(pk=account_id).first()


def accounts_to_review(*, at: datetime, page: str | None) -> "Page[PaymentAccount]":
    """Accounts whose holder's name differs and that no other took the place of, the oldest first: two queries."""
    standing = _waiting().filter(Q(valid__upper_inf=True) | Q(valid__endswith__gt=at))
    return Paginator(standing.order_by("requested_at", "pk"), A_PAGE).get_page(page)


def _waiting() -> "QuerySet[PaymentAccount]":
    waiting = PaymentAccount.objects.filter(holder_check=HolderCheck.DIFFERS, withdrawn_at=None, content__isnull=False)
    return waiting.defer("content")

"""Naming, taking back and reviewing the account that refunds are paid to. The resident is told of each change at once.

A change holds after COOLING_OFF, so that who finds out about it can undo it; the first account of all holds at once.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import msgspec
from django.db import transaction
from psycopg.types.range import TimestamptzRange

from apps.audit.operations import record_event
from apps.audit.states import change_of
from apps.kernel.errors import KanpuError
from apps.residents.accounts.holder import HolderCheck, holder_check
from apps.residents.models import PaymentAccount, Resident, VaultRecord
from apps.residents.models.accounts import DOUBTS, STANDING
from apps.residents.operations.holding import held_vault_keys
from apps.residents.operations.messages import tell
from apps.residents.queries.proxies import who_may_pay
from apps.residents.queries.vault import opened
from apps.residents.vault.contents import ACCOUNT_TABLE, Account
from apps.residents.vault.keys import VaultKeys
from apps.residents.vault.sealing import Place, seal

COOLING_OFF: Final = timedelta(days=3)
State = PaymentAccount.State
Kind = PaymentAccount.Kind


class AccountMissing(KanpuError):
    """There is no such account: none waits to take effect, no consent is given."""

    code = "account_missing"


class NotUnderReview(KanpuError):
    """The account does not wait for a review: it was reviewed, withdrawn or replaced."""

    code = "account_not_under_review"


class ReviewedByAsker(KanpuError):
    """Who entered an account reviews it."""

    code = "account_reviewed_by_asker"


class ResidentErased(KanpuError):
    """The vault's row of the resident was emptied."""

    code = "resident_erased"


@transaction.atomic
def name_account(ref: UUID, account: Account, *, channel: str, at: datetime, actor: str) -> PaymentAccount:
    """Let refunds go to this account, instead of any that is in force or waits. `account.holder` is as banks write it.

    A holder's name that is none of the registered ones, or is a name of who may pay for the resident as well, is
    reviewed by a clerk; nothing is paid meanwhile. Raises ResidentErased, VaultKeysMissing, VaultKeysOutdated.
    """
    keys, record = held_vault_keys(), _lock(ref)
    check = _check(keys, account, record)
    if check != HolderCheck.DIFFERS and _is_of_who_may_pay(keys, ref, account, at):
        check = HolderCheck.DIFFERS
    row = PaymentAccount(
        id=uuid4(), resident_id=ref, kind=Kind.BANK, holder_check=check, requested_at=at, requested_by=actor,
        channel=channel,
    )  # fmt: skip
    row.content, row.key_version = _sealed(keys, row.pk, account), keys.newest
    _put_in_force(row, at=at)
    _announce(row, "account.name", at=at, actor=actor)
    return row


@transaction.atomic
def consent_to_public_account(ref: UUID, *, channel: str, at: datetime, actor: str) -> PaymentAccount:
    """Let refunds go to the public money-receiving account that is known when they are paid. Raises ResidentErased.

    Only the consent is kept, which is for this refund and no other benefit (公金受取口座登録法 (令和3年法律第38号)).
    """
    _lock(ref)
    row = PaymentAccount(resident_id=ref, kind=Kind.PUBLIC, requested_at=at, requested_by=actor, channel=channel)
    _put_in_force(row, at=at)
    _announce(row, "account.consent", at=at, actor=actor)
    return row


@transaction.atomic
def undo_change(ref: UUID, *, at: datetime, actor: str) -> PaymentAccount:
    """Withdraw the change that does not hold yet: the account before it goes on. Raises AccountMissing."""
    _lock(ref)
    row = _in_state(ref, State.PENDING, at)
    _take_back(row, withdrawn_at=at)
    _announce(row, "account.undo", at=at, actor=actor)
    return row


@transaction.atomic
def withdraw_consent(ref: UUID, *, at: datetime, actor: str) -> PaymentAccount:
    """End the consent at once: nothing is paid until another account is named. Raises AccountMissing."""
    _lock(ref)
    row = _in_state(ref, State.ACTIVE, at, kind=Kind.PUBLIC)
    _end(row, at)
    _announce(row, "account.consent_withdraw", at=at, actor=actor)
    return row


@transaction.atomic
def review_account(
    ref: UUID, account_id: UUID, *, reason: PaymentAccount.Reason, at: datetime, actor: str
) -> PaymentAccount:
    """A clerk says why the holder is the resident in spite of another name, or that it is not (one of DOUBTS).

    A refused account never was: the one before it goes on. Raises NotUnderReview, also for another resident's, and
    ReviewedByAsker: two people are needed.
    """
    _lock(ref)
    row = PaymentAccount.objects.filter(
        STANDING, pk=account_id, resident=ref, holder_check=HolderCheck.DIFFERS, content__isnull=False
    ).first()
    if row is None or row.state_at(at) not in (State.PENDING, State.ACTIVE):
        raise NotUnderReview("This account does not wait for a review any more.")
    if row.requested_by == actor:
        raise ReviewedByAsker("You entered this account: another clerk must review it.")
    verdict = {"reviewed_at": at, "reviewed_by": actor, "review_reason": reason}
    if reason in DOUBTS:
        _take_back(row, holder_check=HolderCheck.REVIEWED_BAD, **verdict)
    else:
        _change(row, holder_check=HolderCheck.REVIEWED_OK, **verdict)
    _announce(row, "account.review", at=at, actor=actor, told="account_reviewed")
    return row


def erase_accounts(ref: UUID, *, at: datetime) -> None:
    """Empty all accounts of a resident and end what is in force, in the transaction of who locked the vault's row."""
    for row in _standing(ref):
        state = row.state_at(at)
        if state == State.PENDING:
            _take_back(row, withdrawn_at=at)
    for row in _standing(ref):
        if row.state_at(at) == State.ACTIVE:
            _end(row, at)
    PaymentAccount.objects.filter(resident=ref).update(content=None, key_version=None)


def _lock(ref: UUID) -> VaultRecord | None:
    """One change of a resident's accounts at a time; locked in the order of an import. Raises ResidentErased."""
    record = VaultRecord.objects.select_for_update(no_key=True).filter(pk=ref).first()
    Resident.objects.select_for_update(no_key=True).get(pk=ref)
    if record and record.erased_at:
        raise ResidentErased("The resident's data was erased: no account can be named.")
    return record


def _check(keys: VaultKeys, account: Account, record: VaultRecord | None) -> HolderCheck:
    person = opened(keys, record.pk, {"person": record.person}).person if record else None
    return holder_check(account.holder, person) if person else HolderCheck.DIFFERS


def _is_of_who_may_pay(keys: VaultKeys, ref: UUID, account: Account, at: datetime) -> bool:
    """Whether the holder has a name of a proxy who may say where the refund is paid to."""
    payers = VaultRecord.objects.filter(pk__in=who_may_pay(ref, at=at), erased_at=None)
    return any(_check(keys, account, payer) != HolderCheck.DIFFERS for payer in payers.only("person"))


def _sealed(keys: VaultKeys, account_id: UUID, account: Account) -> bytes:
    return seal(keys, Place(ACCOUNT_TABLE, "content", str(account_id)), msgspec.json.encode(account))


def _standing(ref: UUID) -> Sequence[PaymentAccount]:
    return list(PaymentAccount.objects.filter(STANDING, resident=ref).defer("content"))


def _in_state(ref: UUID, state: State, at: datetime, **more: Any) -> PaymentAccount:
    rows = PaymentAccount.objects.filter(STANDING, resident=ref, **more).defer("content")
    found = next((row for row in rows if row.state_at(at) == state), None)
    if found is None:
        raise AccountMissing("There is no such change or consent any more. Look at the page again.")
    return found


def _put_in_force(row: PaymentAccount, *, at: datetime) -> None:
    """Save a row so that it holds when the time has come; what waited is withdrawn, what is in force ends then."""
    for other in _standing(row.resident_id):
        if other.state_at(at) == State.PENDING:
            _take_back(other, withdrawn_at=at)
    before = _standing(row.resident_id)
    start = at + COOLING_OFF if before else at
    for other in before:
        if other.state_at(at) == State.ACTIVE:
            _end(other, start)
    row.valid = TimestamptzRange(start, None)
    row.save(force_insert=True)


def _take_back(row: PaymentAccount, **changes: Any) -> None:
    """Let a row be as if it had never held: the one before it goes on for as long as it would have held."""
    _change(row, **changes)
    before = PaymentAccount.objects.filter(STANDING, resident=row.resident_id, valid__endswith=row.valid.lower)
    for other in before.defer("content"):
        _change(other, valid=TimestamptzRange(other.valid.lower, row.valid.upper))


def _end(row: PaymentAccount, at: datetime) -> None:
    _change(row, valid=TimestamptzRange(row.valid.lower, at))


def _change(row: PaymentAccount, **changes: Any) -> None:
    for name, value in changes.items():
        setattr(row, name, value)
    row.save(update_fields=list(changes))


def _announce(row: PaymentAccount, action: str, *, at: datetime, actor: str, told: str = "account_changed") -> None:
    """Put a change on the trail, and tell the resident: neither says which account."""
    start = row.valid.lower.isoformat()
    detail = {"account": str(row.pk), "kind": row.kind, "check": row.holder_check, "from": start}
    record_event(
        at=at, actor=actor, action=action, subject=f"resident:{row.resident_id}", detail=detail, **change_of(row)
    )
    tell([row.resident_id], told, at=at, what=action, effective_at=start)

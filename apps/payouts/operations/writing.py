"""Writing what two people approve of a batch: the file for a bank, or the one of payments through Stripe.

Accounts are opened some thousand at a time, and that they are is on record before.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import IO, Final, TypeVar

from django.utils import timezone

from apps.audit.access import Access
from apps.kernel.progress import Seen
from apps.payouts import outcomes
from apps.payouts.models import Attempt, Batch
from apps.payouts.operations.folder import write_draft
from apps.payouts.stripe_connect.manifest import AccountKindRefused, Instruction, instruction, write_manifest
from apps.payouts.zengin.files import BankOptions, Manifest, Sender, Transfer, data_record, write_file
from apps.payouts.zengin.layout import FieldRefused
from apps.residents.accounts.directory import BankUnknown, bank_of, branch_of
from apps.residents.accounts.holder import bank_kana
from apps.residents.queries.accounts import open_accounts
from apps.residents.vault.contents import Account

AT_ONCE: Final = 2_000
PURPOSE: Final = "payment files"
Opened = tuple[Attempt, Account | None]
Line = TypeVar("Line", Transfer, Instruction)


def write_for_bank(batch: Batch, actor: str, seen: Seen) -> tuple[Manifest | None, dict[int, str]]:
    """Write the file. Returns what it holds, None for nothing, and the attempts that banks do not take, with why."""
    bank = batch.bank
    assert bank is not None  # noqa: S101 - by constraint, of this rail
    refused: dict[int, str] = {}
    sender = Sender(
        bank.sender_code, bank.sender_name, bank.bank, bank.bank_name, bank.branch, bank.branch_name,
        bank.account_type, bank.account_number,
    )  # fmt: skip
    options = BankOptions(bank.line_end, bank.clearing_house, bank.has_end_mark)
    transfers = _transfers(_opened(batch, actor, seen), options, refused)
    first = next(transfers, None)
    if first is None:
        return None, refused

    def write(out: IO[bytes]) -> Manifest:
        return write_file(out, sender, batch.transfer_date, _with(first, transfers), options)

    return write_draft(batch, write), refused


def write_for_stripe(batch: Batch, actor: str, seen: Seen) -> tuple[Manifest | None, dict[int, str]]:
    """Write what two approve of a batch for Stripe: as `write_for_bank`."""
    refused: dict[int, str] = {}
    payments = _instructions(_opened(batch, actor, seen), refused)
    first = next(payments, None)
    if first is None:
        return None, refused
    head = {"batch": batch.pk, "year": batch.tax_year, "run": batch.run}
    return write_draft(batch, lambda out: write_manifest(out, head, _with(first, payments))), refused


def _with(first: Line, rest: Iterator[Line]) -> Iterator[Line]:
    yield first
    yield from rest


def _opened(batch: Batch, actor: str, seen: Seen) -> Iterator[Opened]:
    """The batch's attempts, some thousand accounts open at a time; that they are is on record before."""
    access, now = Access(actor, "operator", "Payouts", PURPOSE, str(batch)), timezone.now()
    rows = Attempt.objects.filter(batch=batch, state=outcomes.DRAFT).order_by("pk").iterator(chunk_size=AT_ONCE)
    done = 0
    while some := list(islice(rows, AT_ONCE)):
        accounts = open_accounts([one.account_id for one in some], access=access, at=now)
        yield from ((one, accounts.get(one.account_id)) for one in some)
        done += len(some)
        seen(done, 0)


def _transfers(opened: Iterable[Opened], options: BankOptions, refused: dict[int, str]) -> Iterator[Transfer]:
    for one, account in opened:
        try:
            transfer = _transfer(one, account)
            data_record(transfer, options.clearing_house)
        except (BankUnknown, FieldRefused) as error:
            refused[one.pk] = error.code
        else:
            yield transfer


def _instructions(opened: Iterable[Opened], refused: dict[int, str]) -> Iterator[Instruction]:
    for one, account in opened:
        try:
            yield instruction(one.reference, one.amount_minor, str(one.account_id), _there(account))
        except (BankUnknown, AccountKindRefused) as error:
            refused[one.pk] = error.code


def _there(account: Account | None) -> Account:
    if account is None:
        raise BankUnknown("The account was erased.")
    return account


def _transfer(attempt: Attempt, opened: Account | None) -> Transfer:
    account = _there(opened)
    bank_name, branch_name = _names(account.bank, account.branch)
    return Transfer(
        account.bank, bank_name, account.branch, branch_name, account.type, account.number, bank_kana(account.holder),
        attempt.amount_minor, attempt.reference,
    )  # fmt: skip


@lru_cache(maxsize=32_768)
def _names(bank: str, branch: str) -> tuple[str, str]:
    return bank_kana(bank_of(bank).kana), bank_kana(branch_of(bank, branch).kana)

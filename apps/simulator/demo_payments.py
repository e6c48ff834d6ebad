"""The demo year's refunds are paid: two auditors sign, residents have named accounts, a bank of its own pays once.

One household's adults agree that its head is paid, and one resident without an account is paid by letter.
"""

import random
import shutil
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from apps.kernel.errors import KanpuError
from apps.payouts.models import Attempt, SendingBank
from apps.payouts.operations.batches import approve_batch, submit_batch
from apps.payouts.operations.folder import from_post, to_post
from apps.payouts.operations.letters import import_letter_results, make_letters
from apps.payouts.queries.reconciling import reckoning, table
from apps.refunds.models import Refund, Run
from apps.refunds.operations.approving import approve_run, pay_run
from apps.residents.accounts.directory import banks, branches
from apps.residents.accounts.holder import holder_kana
from apps.residents.models import CardSuspension, Membership
from apps.residents.operations.first_accounts import name_first_accounts
from apps.residents.operations.head_payments import agree_to_head
from apps.residents.queries.accounts import account_for_payment
from apps.residents.queries.head_payments import head_payment_of
from apps.residents.vault.contents import Account
from apps.simulator.baskets import YEAR
from apps.simulator.families import register_rows
from apps.simulator.payday import pay, set_up_bank, take_results
from apps.simulator.post_office import PostOffice
from apps.simulator.processes import Processes, bank_command

ACTOR: Final = "demo"
AUDITORS: Final = ("auditor", "auditor2")
BANKS_USED: Final = 40
EVERY_WITHOUT: Final = 25  # who has named no account yet
EVERY_OTHER_NAME: Final = 40  # whose account is in another name, which a clerk compares first
STRANGER: Final = "ベツ ノヒト"
HEADS_ASKED: Final = 100
ANSWER_TIMEOUT_S: Final = 120
POLL_S: Final = 0.2


class PaymentsFailed(KanpuError):
    """What was approved is not accounted for to the yen."""

    code = "payments_failed"


def pay_refunds(processes: Processes, folder: Path, run: Run, residents: Mapping[int, UUID]) -> dict[str, Any]:
    """Sign the run, pay it through the simulated bank, and reckon. Raises PaymentsFailed and what went wrong."""
    name_first_accounts(
        dict(_accounts(residents)), channel=CardSuspension.Channel.PORTAL, at=timezone.now(), actor="resident"
    )
    to_heads = _household_agrees(run)
    for name in AUDITORS:
        approve_run(YEAR, by=name, actor=ACTOR)
    run = pay_run(YEAR, actor=ACTOR, number=run.number)
    bank = set_up_bank()
    processes.start("bank", bank_command(folder / "bank", seed=YEAR), with_keys=False)
    try:
        files = pay(run, auditors=AUDITORS, actor=ACTOR)
        _answered(processes, run, bank)
    finally:
        processes.stop()
    letters = _letter_is_paid(run, folder / "post")
    found = reckoning(run)
    played = {"files_sent": files, "paid_to_heads": to_heads, "letters_paid": letters}
    return played | table(run, found)


def _household_agrees(run: Run) -> int:
    """Have the adults of one household agree that its head is paid. Returns how many refunds go to another so."""
    now = timezone.now()
    refunds = Refund.objects.filter(tax_year=YEAR, run=run.number, due_minor__gt=0)
    due = set(refunds.values_list("resident_ref", flat=True))
    heads = Membership.objects.filter(is_head=True, payee=None, valid__contains=timezone.localdate(now))
    refs = list(heads.order_by("pk").values_list("resident_id", flat=True)[:HEADS_ASKED])
    accounts = account_for_payment(refs, now)
    for ref in refs:
        home = head_payment_of(ref, at=now)
        if home and due.issuperset(home.adults) and accounts[ref].account_id and not accounts[ref].hold:
            for adult in home.adults:
                agree_to_head(adult, at=now, actor="resident")
            return len(home.adults) - 1
    return 0


def _letter_is_paid(run: Run, folder: Path) -> int:
    """Have one letter made for who has no account, approved by two, and paid by the post office. Returns how many."""
    batch = make_letters(YEAR, number=run.number, after=timedelta(0), most=1, actor=ACTOR)
    if batch is None:
        return 0
    for name in AUDITORS:
        approve_batch(batch.pk, by=name, sha256=batch.sha256, actor=ACTOR)
    submit_batch(batch.pk, actor=ACTOR)
    office = PostOffice(to_post(), from_post(), folder)
    office.take_orders()
    for letter in Attempt.objects.filter(batch=batch):
        office.cash_brought(letter.reference, timezone.localdate())
    results = office.tell()
    return import_letter_results(results, actor=ACTOR)[0].applied if results else 0


def forget_files() -> None:
    """Remove what an earlier demo sent and got."""
    shutil.rmtree(settings.KANPU_PAYOUTS, ignore_errors=True)


def _answered(processes: Processes, run: Run, bank: SendingBank) -> None:
    """Take results until the bank has told of every transfer."""
    end_s = time.monotonic() + ANSWER_TIMEOUT_S
    while time.monotonic() < end_s:
        processes.check()
        take_results(bank, actor=ACTOR)
        found = reckoning(run)
        if not found.adds_up:
            raise PaymentsFailed(f"The payments of {run} do not add up: {found.differences}")
        if not found.by_state["in_flight"].obligations:
            time.sleep(2 * POLL_S)  # what comes back is told in a file of its own
            take_results(bank, actor=ACTOR)
            return
        time.sleep(POLL_S)
    raise PaymentsFailed(f"The bank did not answer within {ANSWER_TIMEOUT_S} s: see {processes.logs}")


def _accounts(residents: Mapping[int, UUID]) -> Iterator[tuple[UUID, Account]]:
    """An account for almost everybody, at banks and branches that there are."""
    drawn = random.Random(YEAR)  # noqa: S311 - the same each time  # nosec B311
    chosen = drawn.sample([bank.code for bank in banks()], BANKS_USED)
    names = register_rows(list(residents))
    for position, household in enumerate(sorted(residents)):
        bank = drawn.choice(chosen)
        branch, number = drawn.choice(branches(bank)).code, f"{drawn.randrange(1, 10**7):07}"
        if position % EVERY_WITHOUT:
            holder = STRANGER if position % EVERY_OTHER_NAME == 1 else names[household]["name_kana"]
            yield residents[household], Account(bank, branch, "1", number, holder_kana(holder))

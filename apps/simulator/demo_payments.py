"""The demo year's refunds are paid: two auditors sign, residents have named accounts, a bank of its own pays once."""

import random
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from apps.kernel.errors import KanpuError
from apps.payouts.models import SendingBank
from apps.payouts.queries.reconciling import Reckoning, reckoning, table
from apps.refunds.models import Run
from apps.refunds.operations.approving import approve_run, pay_run
from apps.residents.accounts.directory import banks, branches
from apps.residents.accounts.holder import holder_kana
from apps.residents.models import CardSuspension
from apps.residents.operations.first_accounts import name_first_accounts
from apps.residents.vault.contents import Account
from apps.simulator.baskets import YEAR
from apps.simulator.families import register_rows
from apps.simulator.payday import pay, set_up_bank, take_results
from apps.simulator.processes import Processes, bank_command

ACTOR: Final = "demo"
AUDITORS: Final = ("auditor", "auditor2")
BANKS_USED: Final = 40
EVERY_WITHOUT: Final = 25  # who has named no account yet
EVERY_OTHER_NAME: Final = 40  # whose account is in another name, which a clerk compares first
STRANGER: Final = "ベツ ノヒト"
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
    for name in AUDITORS:
        approve_run(YEAR, by=name, actor=ACTOR)
    run = pay_run(YEAR, actor=ACTOR, number=run.number)
    bank = set_up_bank()
    processes.start("bank", bank_command(folder / "bank", seed=YEAR), with_keys=False)
    try:
        files = pay(run, auditors=AUDITORS, actor=ACTOR)
        found = _answered(processes, run, bank)
    finally:
        processes.stop()
    return {"files_sent": files, **table(found), "adds_up": found.adds_up}


def forget_files() -> None:
    """Remove what an earlier demo sent and got."""
    shutil.rmtree(settings.KANPU_PAYOUTS, ignore_errors=True)


def _answered(processes: Processes, run: Run, bank: SendingBank) -> Reckoning:
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
            return reckoning(run)
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

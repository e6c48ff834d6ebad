"""Paying a run in a simulation, as the office does it: made, approved by two, handed over, results taken.

Every step is an operation that may have died before: whoever plays it again goes on where it stopped.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import time, timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from django.utils import timezone

from apps.payouts.banking_days import banking_days_after
from apps.payouts.models import STRIPE, ZENGIN, Batch, SendingBank, StripePayment
from apps.payouts.operations.batches import approve_batch, make_batch, sending_bank, submit_batch
from apps.payouts.operations.folder import PART, incoming
from apps.payouts.operations.owing import make_obligations
from apps.payouts.operations.reissuing import reissue
from apps.payouts.operations.results import NotAResultFile, import_results
from apps.payouts.operations.stripe_payments import follow_payments
from apps.payouts.queries.reconciling import failed_of, reckoning
from apps.payouts.stripe_connect.moves import Patience
from apps.refunds.models import Run
from apps.residents.accounts.directory import bank_of, branch_of
from apps.residents.accounts.holder import bank_kana
from apps.simulator.zengin_bank import CODES

POLL_S: Final = 0.1
# A simulated Stripe has settled within a second, and may forget a key after some.
HURRY: Final = Patience(
    keys_for=timedelta(seconds=20), settle=timedelta(seconds=1), again=timedelta(seconds=0.2),
    ask_every=timedelta(seconds=2), watch_every=timedelta(seconds=15), watch_for=timedelta(seconds=10),
)  # fmt: skip
TAKEN: Final = "taken"  # below the folder of the bank's results
DAYS_AHEAD: Final = 3  # banking days: whatever the hour is, a file is not too late


def set_up_bank(*, most_transfers: int = 100_000) -> SendingBank:
    """The office's account at a bank that the simulation plays."""
    bank, branch = bank_of("0001"), branch_of("0001", "004")
    texts = {
        "sender_code": "1234567890", "sender_name": bank_kana("カクシ キヨタク"), "bank": bank.code,
        "bank_name": bank_kana(bank.kana), "branch": branch.code, "branch_name": bank_kana(branch.kana),
        "account_type": "1", "account_number": "7654321",
    }  # fmt: skip
    made, _ = SendingBank.objects.get_or_create(
        name="simulated",
        defaults=texts | {"result_codes": CODES, "cutoff_time": time(15), "most_transfers": most_transfers},
    )
    return made


def pay(run: Run, *, auditors: tuple[str, str], actor: str, rail: str = ZENGIN) -> int:
    """Make, approve and hand over all that can be paid now. Returns how many files the bank has, or Stripe."""
    year, number = run.tax_year_id, run.number
    make_obligations(year, number=number, actor=actor)
    on = banking_days_after(timezone.localdate(), DAYS_AHEAD) if rail == ZENGIN else None
    while make_batch(year, number=number, on=on, rail=rail, actor=actor):
        pass
    batches = Batch.objects.filter(tax_year=year, run=number).order_by("pk")
    for batch in batches.filter(state=Batch.State.DRAFT):
        for name in auditors:
            if name != batch.approved_1_by:
                approve_batch(batch.pk, by=name, sha256=batch.sha256, actor=actor)
    for batch in batches.filter(state__in=(Batch.State.APPROVED, Batch.State.SUBMITTED)):
        submit_batch(batch.pk, actor=actor, patience=HURRY)
    return batches.filter(state=Batch.State.SENT).count()


def take_results(bank: SendingBank, *, actor: str) -> int:
    """Take what the bank wrote, in the order of names, and put it away. Returns how many files."""
    done = 0
    for path in _results():
        with suppress(NotAResultFile):  # it was cut before its first line
            import_results(path, bank=bank, actor=actor)
        path.replace(path.parent / TAKEN / path.name)
        done += 1
    return done


def play_to_the_end(run: Run, *, auditors: tuple[str, str], actor: str, timeout_s: float = 600) -> bool:
    """Pay, take results and pay again what failed or came back, until all is paid. Returns whether it came to that."""
    bank, end_s = sending_bank(), monotonic() + timeout_s
    while monotonic() < end_s:
        pay(run, auditors=auditors, actor=actor)
        if not take_results(bank, actor=actor):
            if reckoning(run).is_done:
                return True
            sleep(POLL_S)
        reissue(failed_of(run), to_same_account=True, actor=actor)
    return False


def play_at_stripe(run: Run, *, auditors: tuple[str, str], actor: str, timeout_s: float = 1_800) -> bool:
    """The same through Stripe, until all is paid and has been asked after once more."""
    end_s = monotonic() + timeout_s
    while monotonic() < end_s:
        pay(run, auditors=auditors, actor=actor, rail=STRIPE)
        follow_payments(actor=actor, patience=HURRY)
        if reissue(failed_of(run), to_same_account=True, actor=actor):
            continue
        if reckoning(run).is_done and not StripePayment.objects.exclude(step="over").exists():
            return True
        sleep(POLL_S)
    return False


def _results() -> Iterator[Path]:
    folder = incoming()
    (folder / TAKEN).mkdir(mode=0o700, exist_ok=True)
    yield from sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith(PART))

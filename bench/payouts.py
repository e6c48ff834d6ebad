"""`make demo-payouts`: a run is paid over a rail while office and bank are killed and what they say goes astray.

The office's process and the bank's, or Stripe's and the web server's, are killed with SIGKILL at random moments and
started again. At the end every obligation is paid exactly once, by the bank's or Stripe's own ledger.
"""

import io
import os
import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final
from uuid import UUID

from django.conf import settings
from django.core.management import call_command
from django.db.models import Count
from django.utils import timezone

from apps.accruals.operations.years import start_year
from apps.audit.officers import Role
from apps.audit.operations.officers import appoint_officer
from apps.payouts.models import Attempt, AttemptEvent, Batch, Obligation, ResultFile, StripeCall
from apps.payouts.queries.reconciling import reckoning
from apps.refunds.models import Refund, Run, RunState, Settlement
from apps.residents.accounts.directory import banks, branches
from apps.residents.models import CardSuspension, VaultRecord
from apps.residents.operations import register_residents
from apps.residents.operations.first_accounts import name_first_accounts
from apps.residents.operations.vault import new_vault_record
from apps.residents.queries.vault import checked_vault_keys
from apps.residents.vault.contents import Account, Identity, Person
from apps.schemes.operations import SHIPPED, load_scheme
from apps.simulator.payday import set_up_bank
from apps.simulator.processes import Processes, ProcessFailed
from bench.rails import AUDITORS, RAILS, YEAR, Rail

ACTOR: Final = "payouts"
FILES: Final = 20  # into which all payments are split, at first
BANKS_USED: Final = 30
NAME: Final = "シミズ ミツコ"
MOST_MINOR: Final = 4_000
TIMEOUT_S: Final = 1_800
POLL_S: Final = 0.05
TELL_EVERY_S: Final = 5
STATES: Final = {
    "paid": "paid", "in_flight": "on the way", "due": "not sent yet", "failed": "failed", "returned": "sent back",
}  # fmt: skip


@dataclass(slots=True)
class Faults:
    """What was done to the processes and their files."""

    rng: random.Random
    kills: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    sent_again: int = 0


def play(
    folder: Path, *, rail: str, payouts: int, kills: int, seed: int, said: Callable[[str], None]
) -> dict[str, object]:
    """Pay a run of so many refunds with so many kills. Raises SystemExit when anything was not paid exactly once."""
    os.environ["KANPU_PAYOUTS"] = str(folder / "payouts")
    settings.KANPU_PAYOUTS = folder / "payouts"
    way = RAILS[rail](folder, seed)
    run = _make(folder, payouts, seed)
    said(f"{payouts:,} refunds of {run.due_minor:,} yen are to be paid")
    return pay(run, folder, way=way, kills=kills, seed=seed, said=said)


def pay(run: Run, folder: Path, *, way: Rail, kills: int, seed: int, said: Callable[[str], None]) -> dict[str, object]:
    """Pay a run with so many kills. Raises SystemExit when anything was not paid exactly once.

    Its residents are payable (`make_payable`), and no other run was paid.
    """
    faults, started_s = Faults(random.Random(seed)), time.monotonic()
    processes = Processes(Path(settings.BASE_DIR), folder / "logs")
    try:
        for name, command in way.commands.items():
            processes.start(name, command, with_keys=name == "web")
        _strike(processes, way, faults, kills=kills, said=said)
        said(_standing())
    except ProcessFailed as error:
        raise SystemExit(f"It did not come to its end: {error}") from error
    finally:
        processes.stop()
    return _checked(run, way, faults, time.monotonic() - started_s)


def _strike(processes: Processes, way: Rail, faults: Faults, *, kills: int, said: Callable[[str], None]) -> None:
    """Kill and start again until the office has paid everything."""
    end_s, told_s, seen = time.monotonic() + TIMEOUT_S, time.monotonic(), _progress()
    while time.monotonic() < end_s:
        if time.monotonic() > told_s + TELL_EVERY_S:
            told_s = time.monotonic()
            said(_standing())
        time.sleep(POLL_S + faults.rng.random())
        if processes.running["office"].poll() == 0:
            return
        others = [one for name, one in processes.running.items() if name != "office"]
        if processes.running["office"].poll() or any(one.poll() is not None for one in others):
            processes.check()
        if (now := _progress()) == seen:  # it is starting, or waits for the other: a kill would hit nothing
            continue
        seen = now
        if faults.rng.random() < 0.3:
            faults.sent_again += way.send_again(faults.rng)
        if sum(faults.kills.values()) < kills:
            name = "office" if faults.rng.random() < 0.6 else faults.rng.choice(list(way.commands))
            processes.kill(name)
            processes.start(name, way.commands[name], with_keys=name == "web")
            faults.kills[name] += 1
            said(f"killed: {name} ({sum(faults.kills.values())} of {kills} kills)")
    raise SystemExit(f"It did not end within {TIMEOUT_S} s: see {processes.logs}")


def _standing() -> str:
    """How far it is, in words."""
    states = dict(Obligation.objects.values_list("state").annotate(count=Count("*")).order_by("state"))
    parts = [f"{states[state]:,} {words}" for state, words in STATES.items() if state in states]
    return ", ".join(parts) or "nothing is owed yet"


def _progress() -> tuple[int, ...]:
    """Changes whenever the office has done something."""
    events = AttemptEvent.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    return (
        events,
        Batch.objects.exclude(approved_1_by="").count(),
        ResultFile.objects.count(),
        Obligation.objects.count(),
        StripeCall.objects.count(),
    )


def _checked(run: Run, way: Rail, faults: Faults, elapsed_s: float) -> dict[str, object]:
    """Hold the bank's ledger against attempts, obligations and settlements."""
    kept, stray_minor = way.kept()
    paid = Attempt.objects.filter(state="paid").values_list("reference", "amount_minor", "obligation_id")
    owed = dict(Obligation.objects.values_list("pk", "amount_minor"))
    due = Refund.objects.filter(tax_year=run.tax_year_id, run=run.number, due_minor__gt=0)
    refunds = dict(due.values_list("resident_ref", "due_minor"))
    settled = dict(Settlement.objects.filter(kind="paid").values_list("resident_ref", "amount_minor"))
    found = reckoning(run)
    wrong = [
        name
        for name, agrees in (
            ("the bank's ledger and the attempts", sorted(one[:2] for one in paid) == kept),
            ("what left and what arrived", stray_minor == 0),
            ("attempts and obligations", sorted((pk, amount) for _, amount, pk in paid) == sorted(owed.items())),
            ("refunds and settlements", refunds == settled),
            ("the reckoning", found.is_done),
        )
        if not agrees
    ]
    if wrong:
        raise SystemExit(f"Not paid exactly once: {', '.join(wrong)} differ.")
    return {
        "obligations": len(owed), "paid_minor": found.by_state["paid"].amount_minor,
        "bank_kept_minor": sum(amount for _, amount in kept),
        "attempts": Attempt.objects.count(), "files": Batch.objects.filter(state="sent").count(),
        "kills": dict(faults.kills), "elapsed_s": round(elapsed_s), **way.counts(faults.sent_again),
    }  # fmt: skip


def _make(folder: Path, payouts: int, seed: int) -> Run:
    """A run of made-up refunds that is being paid, of residents with accounts."""
    now, drawn = timezone.now(), random.Random(seed)
    version, _ = load_scheme(SHIPPED / "jp-2015.yaml", at=now, actor=ACTOR)
    start_year(YEAR, version, deadline=None, at=now, actor=ACTOR)
    call_command("make_keys", out=folder / "keyring.json", stdout=io.StringIO())
    for name in AUDITORS:
        appoint_officer(
            name, add=[Role.AUDITOR], office="Tax office", password=f"{drawn.random()}", at=now, actor=ACTOR
        )
    refs = [one.ref for one in register_residents([date(YEAR, 1, 1)] * payouts, at=now, actor=ACTOR)]
    make_payable(refs, drawn, most_transfers=max(payouts // FILES, 1))
    return _run({ref: drawn.randrange(1, MOST_MINOR + 1) for ref in refs}, version.pk)


def make_payable(refs: Sequence[UUID], drawn: random.Random, *, most_transfers: int) -> None:
    """Residents whom the vault knows and who named accounts, and a bank that takes files of so many transfers."""
    _enter(refs)
    chosen = drawn.sample([bank.code for bank in banks()], BANKS_USED)
    codes = [(bank, branch.code) for bank in chosen for branch in branches(bank)]
    accounts = {
        ref: Account(*drawn.choice(codes), "1", f"{number:07}", NAME) for number, ref in enumerate(refs, start=1)
    }
    name_first_accounts(accounts, channel=CardSuspension.Channel.PORTAL, at=timezone.now(), actor=ACTOR)
    set_up_bank(most_transfers=most_transfers)


def _enter(refs: Sequence[UUID]) -> None:
    keys, person = checked_vault_keys(), Person("清水 光子", NAME, "SHIMIZU MITSUKO", date(1980, 1, 1))
    VaultRecord.objects.bulk_create(
        (new_vault_record(keys, ref, Identity(person=person)) for ref in refs), batch_size=1_000
    )


def _run(dues: dict[UUID, int], scheme_version: int) -> Run:
    total, now = sum(dues.values()), timezone.now()
    run = Run.objects.create(
        tax_year_id=YEAR, number=1, state=RunState.PAYING, cutoff_at=now, frozen_by=ACTOR, secret=b"s" * 32,
        entitled_minor=total, verified_minor=total, due_minor=total, digest="d" * 64, signed_1_by=AUDITORS[0],
        signed_2_by=AUDITORS[1], signed_1_at=now, signed_2_at=now,
    )  # fmt: skip
    Refund.objects.bulk_create(
        (
            Refund(
                resident_ref=ref, tax_year=YEAR, run=1, scheme_version=scheme_version, entitled_minor=due,
                earlier_minor=0, due_minor=due, at_cap=False, spend_minor=[], cuts=[], leaf=b"l" * 32,
            )
            for ref, due in dues.items()
        ),
        batch_size=1_000,
    )  # fmt: skip
    return run

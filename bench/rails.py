"""The rails that `bench payouts` pays over: which processes play, what is done to them, and what their ledgers say."""

import os
import random
import shutil
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from apps.payouts.models import ResultFile, StripeCall, StripeEvent
from apps.simulator.processes import bank_command, free_port, stripe_command, stripe_settings, web_command
from apps.simulator.stripe_ledger import Ledger, Rule

YEAR: Final = 2017
AUDITORS: Final = ("ann", "ben")
FAIL: Final = ["--fail", "30", "--come-back", "20"]  # of a thousand
FAULTS: Final = "10"  # of a thousand requests to Stripe
Kept = tuple[list[tuple[str, int]], int]


@dataclass(frozen=True, slots=True)
class Rail:
    """Processes by name, the office among them. `kept` is what stayed with payees by the ledger, sorted, and what got
    lost on the way; `counts` is told at the end.
    """

    commands: dict[str, list[str]]
    send_again: Callable[[random.Random], int]
    kept: Callable[[], Kept]
    counts: Callable[[int], dict[str, object]]


def zengin(folder: Path, seed: int) -> Rail:
    """Files to a bank: those that it has are sent again under other names, and its results come twice, half, in any
    order.
    """
    bank = bank_command(folder / "bank", seed=seed, options=[*FAIL, "--faults"])

    def send_again(rng: random.Random) -> int:
        kept = [path for path in (folder / "bank").glob("*") if len(path.name) == 64]
        if not kept:
            return 0
        copy = folder / "payouts" / "outgoing" / ".copy"
        shutil.copyfile(rng.choice(kept), copy)
        copy.rename(copy.with_name(f"copy-{rng.randrange(10**6)}.txt"))
        return 1

    def kept() -> Kept:
        ledger = sqlite3.connect(folder / "bank" / "ledger.sqlite3")
        paid = ledger.execute("SELECT reference, amount FROM transfer WHERE code = '0' AND NOT comes_back")
        return sorted(paid), 0

    def counts(sent_again: int) -> dict[str, object]:
        bad_lines = sum(ResultFile.objects.values_list("refused", flat=True))
        return {"files_sent_again": sent_again, "result_files": ResultFile.objects.count(), "bad_lines": bad_lines}

    return Rail({"bank": bank, "office": _office("zengin")}, send_again, kept, counts)


def stripe(folder: Path, seed: int) -> Rail:
    """Calls to Stripe: errors and silence at random, before and after money moved; its webhooks come twice, late, in
    any order, and some never.
    """
    port, web = free_port(), free_port()
    os.environ.update(stripe_settings(port))
    own = folder / "stripe"
    hook = f"http://127.0.0.1:{web}/payouts/stripe/webhook"
    options = [*FAIL, "--faults", FAULTS, "--hook", hook, "--keys-for", "60"]
    commands = {
        "stripe": stripe_command(own, port, seed=seed, options=options), "web": web_command(web),
        "office": _office("stripe"),
    }  # fmt: skip

    def kept() -> Kept:
        ledger = Ledger(own / "stripe.sqlite3", Rule())
        return ledger.kept_by_payees(), ledger.stray_minor()

    def counts(_sent_again: int) -> dict[str, object]:
        calls = StripeCall.objects
        return {
            "calls": calls.count(), "calls_that_made_nothing": calls.filter(answer="nothing").count(),
            "calls_looked_for": calls.exclude(search_at=None).count(), "webhooks": StripeEvent.objects.count(),
        }  # fmt: skip

    return Rail(commands, lambda _rng: 0, kept, counts)


def _office(rail: str) -> list[str]:
    return [sys.executable, "manage.py", "pay_day", str(YEAR), "--rail", rail, "--auditors", *AUDITORS]


RAILS: Final[dict[str, Callable[[Path, int], Rail]]] = {"zengin": zengin, "stripe": stripe}

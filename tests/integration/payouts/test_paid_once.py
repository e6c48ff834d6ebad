"""Whatever dies, comes twice, half or in another order: every obligation is paid exactly once, and the sums agree."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.payouts.models import Attempt, Obligation, SendingBank
from apps.payouts.operations import batches, results, writing
from apps.payouts.operations.closing import close_paid_run
from apps.payouts.operations.folder import incoming, outgoing
from apps.payouts.operations.reissuing import reissue
from apps.payouts.queries.reconciling import failed_of, reckoning
from apps.refunds.models import Run, Settlement
from apps.simulator.payday import pay, set_up_bank, take_results
from apps.simulator.zengin_bank import Bank, Folders, Rule
from tests import payouts
from tests.examples import examples
from tests.world import YEAR, World, auditor
from tests.year_end import Died, dying

pytestmark = pytest.mark.django_db(transaction=True)
ACTOR = "test"
OFFICERS = ("ann", "ben")
# Where a process may die: before or after it called this.
POINTS: list[tuple[Any, str]] = [
    (batches, "claim_due"), (writing, "write_draft"), (batches, "lay_ready"), (batches, "hand_over"),
    (batches, "check_draft"), (batches, "move_batch"), (batches, "record_event"), (results, "note"),
    (results, "record_payments"), (results, "take_back_payments"), (results, "record_event"),
]  # fmt: skip
deaths = st.tuples(st.sampled_from(range(len(POINTS))), st.booleans(), st.integers(1, 3))
steps = st.one_of(
    st.sampled_from(["pay", "bank", "take", "reissue", "copy"]), st.tuples(st.sampled_from(["pay", "take"]), deaths)
)


class Play:
    """A run that is paid by a bank with faults."""

    def __init__(self, run: Run, bank: Bank) -> None:
        self.run, self.bank = run, bank
        self.does: dict[str, Callable[[], object]] = {
            "pay": lambda: pay(run, auditors=OFFICERS, actor=ACTOR),
            "bank": bank.work,
            "take": lambda: take_results(SendingBank.objects.get(), actor=ACTOR),
            "reissue": lambda: reissue(failed_of(run), to_same_account=True, actor=ACTOR),
            "copy": self.send_again,
        }

    def do(self, step: Any) -> None:
        if isinstance(step, str):
            self.does[step]()
            return
        name, (point, after, times) = step
        with dying(*POINTS[point], times=times, after=after):
            try:
                self.does[name]()
            except Died:
                connection.close()  # what the process had not committed is undone

    def send_again(self) -> None:
        """A file that the bank has comes once more, under another name."""
        for kept in self.bank.folders.own.iterdir():
            if len(kept.name) == 64:
                (outgoing() / f"copy-{kept.name[:8]}.txt").write_bytes(kept.read_bytes())

    def finish(self) -> None:
        """Without faults, until nothing moves any more."""
        for _ in range(60):
            for step in ("pay", "bank", "take", "reissue"):
                self.do(step)
            if reckoning(self.run).is_done and not any(path.is_file() for path in incoming().iterdir()):
                return
        raise AssertionError(reckoning(self.run))

    def check(self) -> None:
        """What the bank did, what the attempts say and what the refunds were told is the same."""
        found = reckoning(self.run)
        assert found.is_done
        ledger = sqlite3.connect(self.bank.folders.own / "ledger.sqlite3")
        kept = dict(ledger.execute("SELECT reference, amount FROM transfer WHERE code = '0' AND NOT comes_back"))
        of_run = Attempt.objects.filter(obligation__tax_year=YEAR, obligation__run=self.run.number)
        paid = of_run.filter(state="paid").values_list("reference", "amount_minor", "obligation_id")
        assert {reference: amount for reference, amount, _ in paid} == kept
        owed = Obligation.objects.filter(run=self.run.number)
        assert sorted(obligation for _, _, obligation in paid) == sorted(owed.values_list("pk", flat=True))
        assert sum(kept.values()) == found.approved.amount_minor == self.run.due_minor
        settled = Settlement.objects.filter(run=self.run.number, kind="paid")
        assert dict(settled.values_list("resident_ref", "amount_minor")) == dict(
            owed.values_list("resident_ref", "amount_minor")
        )
        assert close_paid_run(YEAR, number=self.run.number, actor=ACTOR).state == "closed"


@pytest.mark.property
@given(seed=st.integers(0, 2**16), played=st.lists(steps, max_size=14))
@settings(
    max_examples=examples(6), deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
def test_every_obligation_is_paid_once_whatever_dies_comes_twice_or_half(
    world: World, tmp_path: Path, settings: Any, *, seed: int, played: list[Any]
) -> None:
    if not SendingBank.objects.exists():
        for officer in OFFICERS:
            auditor(officer)
        for ref in world.residents:
            payouts.known(ref)
        set_up_bank(most_transfers=1)
    number = Run.objects.count() + 1
    settings.KANPU_PAYOUTS = tmp_path / f"payouts-{number}"
    run = payouts.paying_run(dict(zip(world.residents, (4_000, 17), strict=True)), number=number)
    rule = Rule(seed, fail=300, come_back=300, faults=True)
    play = Play(run, Bank(Folders(outgoing(), incoming(), tmp_path / f"bank-{number}"), rule))
    for step in played:
        play.do(step)
    play.finish()
    play.check()

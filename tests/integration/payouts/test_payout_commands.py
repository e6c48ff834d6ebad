"""The commands with which refunds are paid, and the bank to pay from."""

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from apps.audit.models import Event
from apps.payouts.models import Batch, Obligation, PaymentHold, SendingBank
from apps.payouts.operations.batches import make_batch
from apps.payouts.operations.closing import DoesNotAddUp, close_paid_run
from apps.payouts.operations.owing import hold_payments, lift_hold
from apps.payouts.queries.reconciling import reckoning
from apps.refunds.models import Run, Settlement
from apps.residents.models import Message
from apps.residents.operations.first_accounts import name_first_accounts
from apps.residents.queries.accounts import account_for_payment
from apps.residents.vault.contents import Account
from tests import payouts
from tests.vault import enter
from tests.world import YEAR, World

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_commands_go_all_the_way(run: Run) -> None:
    would = payouts.command("make_payouts", YEAR, "--dry-run")
    assert (would["obligations"], would["payable_minor"], Obligation.objects.count()) == (2, 4_001, 0)
    made = payouts.command("make_payouts", YEAR)
    (batch,) = made["batches"]
    with pytest.raises(CommandError, match=r"Name the SHA-256 .*sha256sum .*\[other_file\]"):
        payouts.command("approve_payouts", batch["batch"], "--by", "ann")
    with pytest.raises(CommandError, match=r"two auditors approve it first, with approve_payouts. \[batch_state\]"):
        payouts.command("submit_payouts", batch["batch"])
    for officer in ("ann", "ben"):
        approved = payouts.command("approve_payouts", batch["batch"], "--by", officer, "--sha256", batch["sha256"])
    assert approved["approved_by"] == ["ann", "ben"]
    assert payouts.command("submit_payouts", batch["batch"])["accounts_changed_since"] == 0
    path = payouts.answer(Batch.objects.get(), "0")
    assert payouts.command("import_payout_results", path, "--dry-run")["applied"] == 2
    assert payouts.states() == ["in_flight", "in_flight"]
    assert payouts.command("import_payout_results", path)["applied"] == 2
    assert payouts.command("reissue_payouts", YEAR)["due_again"] == 0
    table = payouts.command("reconcile_payouts", YEAR, "--close")
    assert (table["state"], table["adds_up"], table["nothing_open"]) == ("closed", True, True)
    assert table["approved"] == table["paid"] == {"obligations": 2, "amount_minor": 4_001}


def test_a_sum_that_was_bent_ends_the_reconciliation_with_status_1(run: Run) -> None:
    payouts.taken(payouts.answer(payouts.sent(), "0"))
    Settlement.objects.filter(amount_minor=4_000).update(amount_minor=3_999)
    with pytest.raises(SystemExit):
        call_command("reconcile_payouts", YEAR, "--json", stdout=io.StringIO())
    assert reckoning(run).differences == {"recorded": -1}
    with pytest.raises(DoesNotAddUp):
        close_paid_run(YEAR, actor="test")


BANK = """
name: city
sender_code: "1234567890"
sender_name: カクシ キヨタク
bank: "0005"
branch: "001"
account_type: "1"
account_number: "0000123"
line_end: none
clearing_house: ""
result_codes: {"0": paid, "1": failed, "8": returned}
cutoff_time: "14:00"
lead_days: 2
"""


def test_a_bank_is_set_up_from_a_file_and_changed_by_it(world: World, tmp_path: Path) -> None:
    path = tmp_path / "bank.yaml"
    path.write_text(BANK)
    assert payouts.command("load_payout_bank", path) == {"bank": "city", "of": "0005-001", "cutoff": "14:00"}
    path.write_text(BANK.replace("14:00", "13:00"))
    payouts.command("load_payout_bank", path)
    bank = SendingBank.objects.get()
    assert (bank.sender_name, bank.bank_name, f"{bank.cutoff_time:%H:%M}") == ("ｶｸｼ ｷﾖﾀｸ", "ﾐﾂﾋﾞｼﾕ-ｴﾌｼﾞｴｲ", "13:00")


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ('bank: "0005"', 'bank: "0003"'), ("カクシ キヨタク", "架空市"), ('"8": returned', '"8": perhaps'),
        ("line_end: none", "line_end: cr"), ('"1234567890"', '"12345678901"'), ("lead_days", "days"),
        ('cutoff_time: "14:00"', 'cutoff_time: "later"'), ("name: city\n", ""),
    ],
)  # fmt: skip
def test_a_file_that_describes_no_bank_is_refused(world: World, tmp_path: Path, line: str, other: str) -> None:
    path = tmp_path / "bank.yaml"
    path.write_text(BANK.replace(line, other))
    with pytest.raises(CommandError, match=r"\[bank_file_bad\]"):
        payouts.command("load_payout_bank", path)
    assert not SendingBank.objects.exists()


def test_payments_are_held_and_lifted_by_command(run: Run, world: World) -> None:
    ref = world.residents[0]
    assert payouts.command("hold_payouts", ref, "--reason", "inquiry")["held"] is True
    assert payouts.draft().sum_minor == 1
    assert payouts.command("hold_payouts", ref, "--lift")["held"] is False
    batch = make_batch(YEAR, actor="test")
    assert batch
    held = payouts.command("hold_payouts", ref, "--reason", "inquiry")
    assert held["in_batches"] == {f"{batch.pk}": "draft"}
    payouts.command("hold_payouts", ref, "--lift")
    with pytest.raises(CommandError, match=r"\[not_held\]"):
        payouts.command("hold_payouts", ref, "--lift")


def test_many_first_accounts_are_named_at_once_as_one_by_one(world: World) -> None:
    one, two = world.residents
    enter(one)
    enter(two)
    named = {one: payouts.TARO, two: Account("0001", "004", "1", "1", "ダレカ ベツ")}
    assert name_first_accounts(named, channel="portal", at=payouts.NAMED, actor="clerk") == 2
    assert name_first_accounts(named, channel="portal", at=payouts.NAMED, actor="clerk") == 0
    found = account_for_payment([one, two], timezone.now())
    assert [found[ref].hold for ref in (one, two)] == [None, "under_review"]
    assert Message.objects.filter(kind="account_changed").count() == 2
    assert Event.objects.filter(action="account.name", resident_ref=one).count() == 1


def words(name: str, *options: object) -> str:
    out = io.StringIO()
    call_command(name, *(str(option) for option in options), stdout=out)
    return out.getvalue()


def test_the_table_adds_up_in_words_and_says_what_is_next(run: Run, world: World) -> None:
    assert "No payment was made of it yet: make_payouts 2017 --run 1." in words("reconcile_payouts", YEAR)
    hold_payments(world.residents[1], reason=PaymentHold.Reason.INQUIRY, at=timezone.now(), actor="ann")
    batch = payouts.sent()
    shown = words("reconcile_payouts", YEAR)
    rows = {line[:40].strip(): line[40:].split() for line in shown.splitlines()}
    assert rows["Run 2017/1, paying"] == ["payments", "minor", "units"]
    assert rows["approved"] == ["2", "4,001"]
    assert rows["with the bank, or on the way there"] == ["1", "4,000"]
    assert rows["waiting, or in no batch yet"] == ["1", "1"]
    assert rows["to be paid"] == rows["sum of these"] == ["4,001"]
    assert "Waiting, suspended: 1 of 1. Needs: who placed the hold lifts it." in shown
    lift_hold(world.residents[1], at=timezone.now(), actor="ann")
    payouts.taken(payouts.answer(batch, "0"))
    payouts.taken(payouts.answer(payouts.sent(), "0", name="2.txt"))
    shown = words("reconcile_payouts", YEAR)
    assert "Nothing is open: reconcile_payouts 2017 --run 1 --close closes the run." in shown
    Settlement.objects.filter(amount_minor=4_000).update(amount_minor=3_999)
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("reconcile_payouts", YEAR, stdout=out)
    assert "It does NOT add up." in out.getvalue()
    assert "  -1 recorded: the refunds' settlements" in out.getvalue()

"""Payments in tests: a run that is being paid, a bank to pay from, and what the bank says."""

import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management import call_command
from django.utils import timezone

from apps.payouts.models import Attempt, Batch, Obligation, ResultFile, SendingBank
from apps.payouts.operations.batches import approve_batch, make_batch, submit_batch
from apps.payouts.operations.folder import incoming, outgoing
from apps.payouts.operations.owing import make_obligations
from apps.payouts.operations.results import import_results
from apps.refunds.models import Refund, Run, RunState
from apps.refunds.queries.statements import rules_under
from apps.residents.models import CardSuspension
from apps.residents.operations.accounts import name_account
from apps.residents.vault.contents import Account
from tests.vault import enter
from tests.world import YEAR

CODES = {"0": "paid", "1": "failed", "2": "failed", "8": "returned"}
NAMED = datetime(2026, 4, 1, 3, tzinfo=UTC)
MORNING = datetime(2026, 11, 26, 0, tzinfo=UTC)  # nine o'clock in Tokyo, a Thursday
TARO = Account("0001", "004", "1", "1234567", "ヤマダ タロウ")
OTHER = Account("0005", "001", "1", "2468013", "ヤマダ タロウ")


def bank(**options: object) -> SendingBank:
    """The office's bank."""
    return SendingBank.objects.create(
        **{
            "name": "main", "sender_code": "1234567890", "sender_name": "ｶｸｼ ｷﾖﾀｸ", "bank": "0001",
            "bank_name": "ﾐｽﾞﾎ", "branch": "004", "branch_name": "ﾏﾙﾉｳﾁﾁﾕｳｵｳ", "account_type": "1",
            "account_number": "7654321", "result_codes": CODES, "cutoff_time": time(15), "lead_days": 1,
        }
        | options
    )  # fmt: skip


def paying_run(dues: Mapping[UUID, int], *, number: int = 1, scheme_version: int | None = None) -> Run:
    """A run of the year that two signed and that is being paid, which gives residents so much."""
    total = sum(dues.values())
    run = Run.objects.create(
        tax_year_id=YEAR, number=number, state=RunState.PAYING, cutoff_at=timezone.now(), frozen_by="test",
        secret=b"s" * 32, entitled_minor=total, verified_minor=total, due_minor=total, digest="d" * 64,
        signed_1_by="ann", signed_2_by="ben", signed_1_at=timezone.now(), signed_2_at=timezone.now(),
    )  # fmt: skip
    lines = len(rules_under(run.tax_year.scheme_version_id, YEAR).lines)
    Refund.objects.bulk_create(
        Refund(
            resident_ref=ref, tax_year=YEAR, run=number, scheme_version=run.tax_year.scheme_version_id,
            entitled_minor=max(due, 0), earlier_minor=max(due, 0) - due, due_minor=due, at_cap=False,
            spend_minor=[0] * lines, cuts=[], leaf=b"l" * 32,
        )
        for ref, due in dues.items()
    )  # fmt: skip
    return run


def known(ref: UUID, account: Account | None = TARO, *, at: datetime = NAMED) -> None:
    """A resident whom the vault knows as ヤマダ タロウ, with an account."""
    enter(ref)
    if account:
        name(ref, account, at=at)


def name(ref: UUID, account: Account, *, at: datetime = NAMED) -> None:
    """The resident names an account."""
    name_account(ref, account, channel=CardSuspension.Channel.PORTAL, at=at, actor="resident")


def draft() -> Batch:
    """Obligations, and a batch of what can be paid."""
    make_obligations(YEAR, actor="test")
    batch = make_batch(YEAR, actor="test")
    assert batch
    return batch


def approved(batch: Batch) -> Batch:
    """The batch once ann and ben approved its file."""
    approve_batch(batch.pk, by="ann", sha256=batch.sha256, actor="test")
    return approve_batch(batch.pk, by="ben", sha256=batch.sha256, actor="test")


def sent() -> Batch:
    """A batch that is with the bank."""
    batch, _ = submit_batch(approved(draft()).pk, actor="test")
    return batch


def answer(batch: Batch, codes: Mapping[str, str] | str, *, name: str = "results.txt") -> Path:
    """What the bank writes: the file that it got, with a code in each transfer; by reference, or one for all."""
    path = incoming() / name
    path.write_bytes(answered((outgoing() / batch.file_name).read_bytes(), codes))
    return path


def answered(content: bytes, codes: Mapping[str, str] | str) -> bytes:
    """A transfer file with results: those without a code are left out."""
    lines: list[bytes] = []
    count = total = 0
    for line in content.splitlines():
        said = codes if isinstance(codes, str) else codes.get(line[91:111].decode("cp932").strip())
        if line[:1] == b"2" and said is not None:
            count, total = count + 1, total + int(line[80:90])
            lines.append(line[:113] + said.encode() + line[114:])
        elif line[:1] == b"8":
            lines.append(b"8%06d%012d" % (count, total) + b" " * 101)
        elif line[:1] != b"2":
            lines.append(line)
    return b"\r\n".join(lines) + b"\r\n"


def taken(path: Path) -> ResultFile:
    """The file, imported."""
    return import_results(path, bank=SendingBank.objects.get(), actor="test")[0]


def states() -> list[str]:
    """How obligations stand, in the order in which they were made."""
    return list(Obligation.objects.order_by("pk").values_list("state", flat=True))


def attempts() -> list[str]:
    """How attempts stand, in the order in which they were made."""
    return list(Attempt.objects.order_by("pk").values_list("state", flat=True))


def waits() -> dict[UUID, str]:
    """What each resident's obligation waits for."""
    return dict(Obligation.objects.values_list("resident_ref", "waits_for"))


def command(name: str, *options: object) -> dict[str, Any]:
    """What a command prints as JSON."""
    out = io.StringIO()
    call_command(name, *(str(option) for option in options), "--json", stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found

"""All that can be paid of a run at once: what it owes, and batches until nothing more can be paid now."""

from datetime import date
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.kernel.progress import Seen, nothing_seen
from apps.payouts.models import ZENGIN, Batch, Obligation
from apps.payouts.operations.batches import make_batch
from apps.payouts.operations.owing import make_obligations
from apps.payouts.operations.payees import update_payees
from apps.payouts.queries.readiness import readiness, waiting_lists
from apps.payouts.queries.reconciling import paying_run


def make_payouts(
    year: int,
    *,
    actor: str,
    number: int | None = None,
    bank: str = "",
    on: date | None = None,
    rail: str = ZENGIN,
    owing: Seen = nothing_seen,
    writing: Seen = nothing_seen,
) -> dict[str, Any]:
    """Make obligations and batches; `owing` and `writing` are told how far each is.

    Raises what `make_obligations` and `make_batch` raise.
    """
    run = paying_run(year, number)
    owed = make_obligations(year, number=run.number, actor=actor, seen=owing)
    batches = []
    while batch := make_batch(year, number=run.number, bank=bank, on=on, rail=rail, actor=actor, seen=writing):
        batches.append(manifest_of(batch))
    waiting = [one._asdict() for one in waiting_lists(run)]
    return {"year": year, "run": run.number, **owed._asdict(), "batches": batches, "waiting": waiting}


def manifest_of(batch: Batch) -> dict[str, Any]:
    """What two people approve."""
    return {
        "batch": batch.pk, "file": batch.file_name, "transfers": batch.transfers, "sum_minor": batch.sum_minor,
        "on": batch.transfer_date.isoformat(), "sha256": batch.sha256, "state": batch.state,
    }  # fmt: skip


@transaction.atomic
def would_make(year: int, *, actor: str, number: int | None = None, rail: str = ZENGIN) -> dict[str, Any]:
    """How much could be paid now over a rail and how much would wait, `waits` by reason; nothing is kept."""
    run = paying_run(year, number)
    owed = make_obligations(year, number=run.number, actor=actor)
    due = Obligation.objects.filter(tax_year=year, run=run.number, state=Obligation.State.DUE).order_by("pk")
    payable = payable_minor = after = 0
    waits: dict[str, list[int]] = {}
    while some := list(due.filter(pk__gt=after)[:5_000]):
        update_payees(some, at=timezone.now())
        found, after = readiness(run, some, at=timezone.now(), rail=rail), some[-1].pk
        for one in some:
            reason = found[one.pk].waits_for
            if reason:
                count, amount_minor = waits.get(reason, [0, 0])
                waits[reason] = [count + 1, amount_minor + one.amount_minor]
            else:
                payable, payable_minor = payable + 1, payable_minor + one.amount_minor
    transaction.set_rollback(True)
    return {
        "year": year, "run": run.number, "dry_run": True, **owed._asdict(), "payable": payable,
        "payable_minor": payable_minor, "waiting": sum(count for count, _ in waits.values()), "waits": waits,
    }  # fmt: skip
